-- One row per area with load of the last 90 days: age of its newest instant, and how long after that instant it was stored.
SELECT
    area,
    greatest(0, dateDiff('second', max(observed_at), now('UTC'))) AS age_seconds,
    greatest(
        0,
        dateDiff(
            'second',
            max(observed_at),
            argMax(inserted_at, (observed_at, -toUnixTimestamp64Micro(inserted_at)))
        )
    ) AS lag_seconds
FROM measurements
WHERE metric = {metric:String}
    AND area IN {areas:Array(String)}
    AND observed_at > now('UTC') - INTERVAL 90 DAY
    AND observed_at <= now('UTC')
    AND isNotNull(value)
GROUP BY area
ORDER BY area
