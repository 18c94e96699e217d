-- Alerts about which somebody may still have to be told: open ones, and those closed within two days.
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
    run_id
FROM alerts FINAL
WHERE state = 'open' OR updated_at > now64(6, 'UTC') - INTERVAL 2 DAY
ORDER BY opened_at, fingerprint
