-- One row per area: how many times its newest load value repeats up to the newest instant, within a day.
WITH recent AS
(
    SELECT
        area,
        arrayReverseSort(groupArray((observed_at, value))) AS points
    FROM measurements_as_known(as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'), up_to_vintage = 'definitive')
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at > {now:DateTime('UTC')} - INTERVAL 1 DAY
        AND observed_at <= {now:DateTime('UTC')}
    GROUP BY area
)

SELECT
    area,
    points[1].2 AS value,
    arrayFirstIndex(point -> point.2 != points[1].2, points) AS first_other,
    toUInt32(if(first_other = 0, length(points), first_other - 1)) AS steps,
    points[steps].1 AS since
FROM recent
ORDER BY area
