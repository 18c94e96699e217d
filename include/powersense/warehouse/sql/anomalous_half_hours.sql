-- Half-hours in which an anomaly stands, whichever detector found it.
SELECT DISTINCT area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE, 'UTC') AS half_hour
FROM anomalies FINAL
WHERE metric = {metric:String}
    AND area IN {areas:Array(String)}
    AND observed_at >= {start:DateTime('UTC')}
    AND observed_at < {end:DateTime('UTC')}
    AND isNull(retracted_at)
ORDER BY area, half_hour
