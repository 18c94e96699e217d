-- One row per region with a temperature in the week before `weather_until`: hours that have one, and hours expected, in
-- its last 24 hours. Of a region whose weather began within them, only the hours since then are expected.
WITH
    {weather_until:DateTime('UTC')} AS until,
    until - INTERVAL 1 DAY AS since
SELECT
    area,
    countIf(observed_at >= since) AS received,
    toUInt32(ceil(dateDiff('minute', greatest(since, min(observed_at)), until) / 60)) AS expected
FROM weather_by_area_between(
    as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'),
    start = {weather_until:DateTime('UTC')} - INTERVAL 7 DAY,
    end = {weather_until:DateTime('UTC')}
)
WHERE area IN {areas:Array(String)}
    AND area != {national_area:String}
    AND isNotNull(temperature_c)
GROUP BY area
ORDER BY area
