-- One row per area whose residuals of the day ahead have a z-score; none from marts that were built more than two days ago.
SELECT
    area,
    recent_days,
    mean_residual_recent,
    mean_residual_reference,
    reference,
    z_score
FROM {marts:Identifier}.mart_forecast_drift
WHERE day_lead = 1
    AND area IN {areas:Array(String)}
    AND isNotNull(z_score)
    AND as_of_day >= toDate({now:DateTime('UTC')}, 'Europe/Paris') - 2
ORDER BY area
