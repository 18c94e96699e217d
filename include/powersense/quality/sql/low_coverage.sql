-- One row per area: load values received and expected in the 24 hours before `until`.
-- The step is the usual gap of the last week, since areas are published every 15 or 30 minutes.
WITH
    {until:DateTime('UTC')} AS until,
    until - INTERVAL 1 DAY AS since
SELECT
    area,
    countIf(observed_at >= since) AS received,
    arraySort(groupArray(toUnixTimestamp(observed_at))) AS instants,
    arrayReduce('quantileExact(0.5)', arrayPopFront(arrayDifference(instants))) AS step_seconds,
    toUInt32(round((toUnixTimestamp(until) - greatest(toUnixTimestamp(since), instants[1])) / step_seconds)) AS expected
FROM
(
    SELECT DISTINCT
        area,
        observed_at
    FROM measurements
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at >= until - INTERVAL 7 DAY
        AND observed_at < until
        AND isNotNull(value)
)
GROUP BY area
HAVING length(instants) > 1
ORDER BY area
