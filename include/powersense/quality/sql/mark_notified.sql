-- Stamp alerts as told. It copies each alert's present row, so a change made meanwhile is lost only within milliseconds,
-- and the next check makes it again.
INSERT INTO alerts
(
    alert_id, fingerprint, rule, severity, area, subject, message, runbook, state, opened_at, last_seen_at, closed_at,
    occurrences, notified_at, run_id, group_id
)
SELECT
    alert_id, fingerprint, rule, severity, area, subject, message, runbook, state, opened_at, last_seen_at, closed_at,
    occurrences, now64(6, 'UTC') AS notified_at, run_id, group_id
FROM alerts FINAL
WHERE alert_id IN {alert_ids:Array(String)}
