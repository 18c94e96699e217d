-- One row per expected area: its newest instant with a load value, NULL without one.
SELECT
    expected.area AS area,
    stored.newest AS newest
FROM (SELECT arrayJoin({areas:Array(String)}) AS area) AS expected
LEFT JOIN
(
    SELECT
        area,
        toNullable(max(observed_at)) AS newest
    FROM measurements
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at <= {now:DateTime('UTC')}
        AND isNotNull(value)
    GROUP BY area
) AS stored ON stored.area = expected.area
ORDER BY area
