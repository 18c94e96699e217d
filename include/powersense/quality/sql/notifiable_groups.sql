-- Groups about which somebody may still have to be told, one row per alert of each: those that are open, and those that
-- changed within two days.
SELECT
    m.alert_id AS alert_id,
    m.fingerprint AS fingerprint,
    m.rule AS rule,
    m.severity AS severity,
    m.area AS area,
    m.subject AS subject,
    m.message AS message,
    m.runbook AS runbook,
    m.state AS state,
    m.opened_at AS opened_at,
    m.last_seen_at AS last_seen_at,
    m.closed_at AS closed_at,
    m.occurrences AS occurrences,
    m.notified_at AS notified_at,
    m.run_id AS run_id,
    m.group_id AS group_id,
    isNotNull(m.silenced_until) AS is_silenced,
    g.state AS group_state,
    g.acknowledged_at AS acknowledged_at,
    g.acknowledged_by AS acknowledged_by,
    g.withdrawn_at AS withdrawn_at
FROM alerts_with_silence(at = {at:DateTime64(6, 'UTC')}) AS m
INNER JOIN alert_groups(at = {at:DateTime64(6, 'UTC')}) AS g ON g.group_id = m.group_id
WHERE g.open_alerts > 0 OR g.updated_at > now64(6, 'UTC') - INTERVAL 2 DAY
ORDER BY g.opened_at, g.group_id, m.opened_at, m.fingerprint
