-- Of each area, the newest run that was known at `as_of` and has a temperature for every whole hour of [start, end).
-- No forecast reaches further ahead than 16 days, so older runs need not be read.
WITH
    known AS (
        SELECT area, metric, source, run_at, target_at, value
        FROM weather_forecasts
        WHERE area IN {areas:Array(String)}
            AND run_at >= {start:DateTime('UTC')} - INTERVAL 16 DAY
            AND run_at <= {as_of:DateTime64(6, 'UTC')}
            AND inserted_at <= {as_of:DateTime64(6, 'UTC')}
            AND target_at >= {start:DateTime('UTC')}
            AND target_at < {end:DateTime('UTC')}
        ORDER BY area, metric, source, run_at, target_at, inserted_at
        LIMIT 1 BY area, metric, source, run_at, target_at
    ),
    newest AS (
        SELECT area, source, run_at
        FROM known
        WHERE metric = 'temperature_c'
        GROUP BY area, source, run_at
        HAVING uniqExact(target_at) >= {hours:UInt32}
        ORDER BY area, run_at DESC, source
        LIMIT 1 BY area
    )
SELECT
    known.area AS area,
    known.run_at AS run_at,
    known.target_at AS target_at,
    anyOrNullIf(known.value, known.metric = 'temperature_c') AS temperature_c,
    anyOrNullIf(known.value, known.metric = 'wind_speed_ms') AS wind_speed_ms,
    anyOrNullIf(known.value, known.metric = 'cloud_cover_pct') AS cloud_cover_pct
FROM known
INNER JOIN newest ON newest.area = known.area AND newest.source = known.source AND newest.run_at = known.run_at
GROUP BY area, run_at, target_at
ORDER BY area, target_at
