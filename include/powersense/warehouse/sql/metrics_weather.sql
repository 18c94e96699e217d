-- Ages of the newest weather: what was observed, and what was forecast.
SELECT
    'observations' AS kind,
    if(count() = 0, NULL, greatest(0, dateDiff('second', max(observed_at), now('UTC')))) AS age_seconds
FROM weather_observations
WHERE observed_at > now('UTC') - INTERVAL 30 DAY
    AND observed_at <= now('UTC')
    AND isNotNull(value)

UNION ALL

SELECT
    'forecasts' AS kind,
    if(count() = 0, NULL, greatest(0, dateDiff('second', max(run_at), now('UTC')))) AS age_seconds
FROM weather_forecasts
WHERE run_at > now('UTC') - INTERVAL 30 DAY
    AND run_at <= now('UTC')
