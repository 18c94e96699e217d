-- One row per region with a station that ever reported: its newest hour with a temperature within three days, else NULL.
-- No row where no weather was ever stored. France is the mean of its regions and has no row of its own.
SELECT
    known.area AS area,
    recent.newest AS newest
FROM
(
    SELECT DISTINCT area
    FROM weather_stations FINAL
    WHERE area IN {areas:Array(String)}
        AND station IN (SELECT DISTINCT station FROM weather_observations WHERE metric = {weather_metric:String})
) AS known
LEFT JOIN
(
    SELECT
        area,
        toNullable(max(observed_at)) AS newest
    FROM weather_by_area_between(
        as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'),
        start = {now:DateTime('UTC')} - INTERVAL 3 DAY,
        end = {now:DateTime('UTC')} + INTERVAL 1 SECOND
    )
    WHERE isNotNull(temperature_c)
    GROUP BY area
) AS recent ON recent.area = known.area
ORDER BY area
