-- One row per area: mean error of the day ahead's forecasts over the seven Paris days before today, and that of RTE's own.
SELECT
    errors.area AS area,
    sum(errors.mape * errors.half_hours) / sum(errors.half_hours) AS error_ratio,
    if(
        countIf(isNotNull(errors.rte_mape)) = 0,
        NULL,
        sum(errors.rte_mape * errors.rte_half_hours) / sumIf(errors.rte_half_hours, isNotNull(errors.rte_mape))
    ) AS rte_error_ratio
FROM {marts:Identifier}.mart_forecast_errors AS errors
WHERE errors.day_lead = 1
    AND errors.target_day >= toDate(now('UTC'), 'Europe/Paris') - 7
    AND errors.target_day < toDate(now('UTC'), 'Europe/Paris')
GROUP BY errors.area
ORDER BY area
