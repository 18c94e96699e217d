-- Every open alert, and the latest one of each given problem. Serves the lifecycle: at most one row per fingerprint.
SELECT
    alert_id,
    fingerprint,
    rule,
    severity,
    area,
    subject,
    message,
    runbook,
    state,
    opened_at,
    last_seen_at,
    closed_at,
    occurrences,
    notified_at,
    run_id,
    group_id
FROM alerts FINAL
WHERE state = 'open' OR fingerprint IN {fingerprints:Array(String)}
ORDER BY fingerprint, opened_at DESC, alert_id
LIMIT 1 BY fingerprint
