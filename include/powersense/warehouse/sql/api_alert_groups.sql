-- Groups of alerts that were open within the range, the newest first.
SELECT
    g.group_id AS group_id,
    g.rule AS rule,
    toString(g.severity) AS severity,
    g.state AS state,
    g.areas AS areas,
    g.alerts AS alerts,
    g.open_alerts AS open_alerts,
    g.subject AS subject,
    g.message AS message,
    g.runbook AS runbook,
    g.opened_at AS opened_at,
    g.last_seen_at AS last_seen_at,
    g.closed_at AS closed_at,
    g.acknowledged_at AS acknowledged_at,
    g.acknowledged_by AS acknowledged_by,
    g.silenced_until AS silenced_until,
    g.notified_at AS notified_at,
    g.run_id AS run_id
FROM alert_groups(at = now64(6, 'UTC')) AS g
WHERE g.state IN {states:Array(String)}
    AND toString(g.severity) IN {severities:Array(String)}
    AND (empty({rules:Array(String)}) OR g.rule IN {rules:Array(String)})
    AND (empty({areas:Array(String)}) OR hasAny(g.areas, {areas:Array(String)}))
    AND (empty({group_ids:Array(String)}) OR g.group_id IN {group_ids:Array(String)})
    AND g.opened_at < {end:DateTime('UTC')}
    AND (isNull(g.closed_at) OR g.closed_at >= {start:DateTime('UTC')})
    AND (
        empty({after:Array(String)})
        OR (g.opened_at, g.group_id) < (
            parseDateTime64BestEffortOrZero({after:Array(String)}[1], 6, 'UTC'), {after:Array(String)}[2]
        )
    )
ORDER BY g.opened_at DESC, g.group_id DESC
LIMIT {limit:UInt64}
