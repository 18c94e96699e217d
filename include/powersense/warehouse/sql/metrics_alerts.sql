-- One row per rule and severity with open alerts: how many, and the age of the oldest.
SELECT
    rule,
    severity,
    count() AS alerts,
    greatest(0, dateDiff('second', min(opened_at), now64(6, 'UTC'))) AS oldest_seconds
FROM alerts FINAL
WHERE state = 'open'
GROUP BY rule, severity
ORDER BY rule, severity
