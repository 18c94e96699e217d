SELECT area, observed_at, temperature_c, wind_speed_ms, cloud_cover_pct
FROM weather_by_area_between(
    as_of = {as_of:DateTime64(6, 'UTC')}, start = {start:DateTime('UTC')}, end = {end:DateTime('UTC')}
)
WHERE area IN {areas:Array(String)}
ORDER BY area, observed_at
