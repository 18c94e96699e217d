-- One row per vintage: values of the load that a day's inserts brought for the first time, and later versions of values.
SELECT
    vintage,
    countIf(version = 1) AS first_versions,
    countIf(version > 1) AS revisions
FROM measurements
WHERE inserted_at > now64(6, 'UTC') - INTERVAL 1 DAY
    AND metric = {metric:String}
GROUP BY vintage
ORDER BY vintage
