-- Of each area the newest issue known at `as_of`, or the one of `issued_at`.
WITH issues AS (
    SELECT f.area AS area, max(f.issued_at) AS issued_at
    FROM forecasts AS f
    WHERE f.area IN {areas:Array(String)}
        AND f.issued_at <= {newest_issue:DateTime('UTC')}
        AND f.issued_at >= {oldest_issue:DateTime('UTC')}
        AND f.inserted_at <= {as_of:DateTime64(6, 'UTC')}
    GROUP BY f.area
)

SELECT
    k.area AS area,
    toDateTime64(k.issued_at, 0, 'UTC') AS issued_at,
    toDateTime64(k.target_at, 0, 'UTC') AS target_at,
    k.lead_minutes AS lead_minutes,
    k.q025_mw AS q025_mw,
    k.q100_mw AS q100_mw,
    k.q250_mw AS q250_mw,
    k.q500_mw AS q500_mw,
    k.q750_mw AS q750_mw,
    k.q900_mw AS q900_mw,
    k.q975_mw AS q975_mw,
    k.model AS model,
    k.model_id AS model_id,
    k.fallback_level AS fallback_level,
    k.fallback_reason AS fallback_reason,
    k.load_age_minutes AS load_age_minutes,
    k.weather_age_minutes AS weather_age_minutes,
    k.run_id AS run_id
FROM forecasts_as_known(as_of = {as_of:DateTime64(6, 'UTC')}) AS k
WHERE k.area IN {areas:Array(String)}
    AND (k.area, k.issued_at) IN (SELECT issues.area, issues.issued_at FROM issues)
    AND (
        empty({after:Array(String)})
        OR (k.area, k.target_at)
        > ({after:Array(String)}[1], parseDateTimeBestEffortOrZero({after:Array(String)}[2], 'UTC'))
    )
ORDER BY k.area, k.target_at
LIMIT {limit:UInt64}
