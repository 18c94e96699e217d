-- One row per area with a forecast issued in the last two days: what the newest came from.
SELECT
    area,
    max(issued_at) AS newest,
    argMax(fallback_level, (issued_at, -toInt64(toUnixTimestamp64Micro(inserted_at)))) AS level,
    argMax(fallback_reason, (issued_at, -toInt64(toUnixTimestamp64Micro(inserted_at)))) AS reason,
    newest AS issued_at
FROM forecasts
WHERE area IN {areas:Array(String)}
    AND issued_at > {now:DateTime('UTC')} - INTERVAL 2 DAY
    AND issued_at <= {now:DateTime('UTC')}
    AND lead_minutes = 0
GROUP BY area
ORDER BY area
