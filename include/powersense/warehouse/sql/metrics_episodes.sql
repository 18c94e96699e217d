-- One row per detector and severity: episodes that are open now.
SELECT
    detector,
    severity,
    count() AS episodes
FROM episodes FINAL
WHERE state = 'open'
GROUP BY detector, severity
ORDER BY detector, severity
