-- One row per area that was forecast within 30 days: age of its newest issue, and how far down the ladder that came from.
SELECT
    area,
    greatest(0, dateDiff('second', max(issued_at), now('UTC'))) AS age_seconds,
    argMax(fallback_level, (issued_at, -toUnixTimestamp64Micro(inserted_at))) AS fallback_level
FROM forecasts
WHERE issued_at > now('UTC') - INTERVAL 30 DAY
    AND issued_at <= now('UTC')
    AND lead_minutes = 0
GROUP BY area
ORDER BY area
