-- One row per area: errors of the forecasts of the day ahead over the seven Paris days before today, whichever models made them.
SELECT
    area,
    sum(errors.half_hours) AS half_hours,
    sum(errors.mape * errors.half_hours) / sum(errors.half_hours) AS mape,
    sum(errors.rte_mape * errors.rte_half_hours) / sumIf(errors.rte_half_hours, isNotNull(errors.rte_mape)) AS rte_mape
FROM {marts:Identifier}.mart_forecast_errors AS errors
WHERE day_lead = 1
    AND area IN {areas:Array(String)}
    AND target_day >= toDate({now:DateTime('UTC')}, 'Europe/Paris') - 7
    AND target_day < toDate({now:DateTime('UTC')}, 'Europe/Paris')
GROUP BY area
ORDER BY area
