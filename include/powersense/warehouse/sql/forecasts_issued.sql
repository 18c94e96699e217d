SELECT
    area,
    issued_at,
    target_at,
    lead_minutes,
    model_id,
    model,
    q025_mw,
    q100_mw,
    q250_mw,
    q500_mw,
    q750_mw,
    q900_mw,
    q975_mw,
    toString(vintage) AS vintage,
    fallback_level,
    fallback_reason,
    load_age_minutes,
    weather_age_minutes,
    run_id
FROM forecasts_as_known(as_of = {as_of:DateTime64(6, 'UTC')})
WHERE area IN {areas:Array(String)}
    AND issued_at >= {start:DateTime('UTC')}
    AND issued_at < {end:DateTime('UTC')}
ORDER BY area, issued_at, target_at
