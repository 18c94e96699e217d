-- Per area: its newest load, weather and forecast, and the age from which the checks call each stale.
SELECT
    expected.area AS area,
    loads.newest AS load_at,
    toUInt32({load_limit:UInt32}) AS load_limit_minutes,
    toBool(
        isNull(loads.newest) OR loads.newest < {now:DateTime('UTC')} - toIntervalMinute({load_limit:UInt32})
    ) AS is_load_stale,
    weather.newest AS weather_at,
    toUInt32({weather_limit:UInt32}) AS weather_limit_minutes,
    toBool(
        ifNull(weather.newest < {now:DateTime('UTC')} - toIntervalMinute({weather_limit:UInt32}), FALSE)
    ) AS is_weather_stale,
    issues.newest AS forecast_at,
    toUInt32({forecast_limit:UInt32}) AS forecast_limit_minutes,
    toBool(
        ifNull(issues.newest < {now:DateTime('UTC')} - toIntervalMinute({forecast_limit:UInt32}), FALSE)
    ) AS is_forecast_stale
FROM (SELECT arrayJoin({areas:Array(String)}) AS area) AS expected
LEFT JOIN
(
    SELECT
        area,
        toNullable(max(observed_at)) AS newest
    FROM measurements
    WHERE metric = {metric:String}
        AND observed_at > {now:DateTime('UTC')} - INTERVAL 31 DAY
        AND observed_at <= {now:DateTime('UTC')}
        AND isNotNull(value)
    GROUP BY area
) AS loads ON loads.area = expected.area
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
) AS weather ON weather.area = expected.area
LEFT JOIN
(
    SELECT
        area,
        toNullable(max(issued_at)) AS newest
    FROM forecasts
    WHERE issued_at > {now:DateTime('UTC')} - INTERVAL 31 DAY
        AND issued_at <= {now:DateTime('UTC')}
        AND lead_minutes = 0
    GROUP BY area
) AS issues ON issues.area = expected.area
WHERE empty({after:Array(String)}) OR expected.area > {after:Array(String)}[1]
ORDER BY expected.area
LIMIT {limit:UInt64}
