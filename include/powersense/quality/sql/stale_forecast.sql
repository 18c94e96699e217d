-- One row per area that was ever forecast: its newest issue up to now.
SELECT
    area,
    max(issued_at) AS newest
FROM forecasts
WHERE area IN {areas:Array(String)}
    AND issued_at <= {now:DateTime('UTC')}
    AND lead_minutes = 0
GROUP BY area
ORDER BY area
