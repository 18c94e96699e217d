-- Hourly weather of areas, as known at `as_of`; the rule stands in the view.
SELECT
    w.area AS area,
    toDateTime64(w.observed_at, 0, 'UTC') AS observed_at,
    w.temperature_c AS temperature_c,
    w.wind_speed_ms AS wind_speed_ms,
    w.cloud_cover_pct AS cloud_cover_pct,
    toUInt32(w.stations) AS stations
FROM weather_by_area_between(
    as_of = {as_of:DateTime64(6, 'UTC')}, start = {start:DateTime('UTC')}, end = {end:DateTime('UTC')}
) AS w
WHERE w.area IN {areas:Array(String)}
    AND (
        empty({after:Array(String)})
        OR (w.area, w.observed_at)
        > ({after:Array(String)}[1], parseDateTimeBestEffortOrZero({after:Array(String)}[2], 'UTC'))
    )
ORDER BY w.area, w.observed_at
LIMIT {limit:UInt64}
