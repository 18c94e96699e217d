-- Alerts that were open within the range, the newest first.
SELECT
    a.alert_id AS alert_id,
    a.rule AS rule,
    toString(a.severity) AS severity,
    a.area AS area,
    a.subject AS subject,
    a.message AS message,
    a.runbook AS runbook,
    toString(a.state) AS state,
    a.opened_at AS opened_at,
    a.last_seen_at AS last_seen_at,
    a.closed_at AS closed_at,
    a.occurrences AS occurrences,
    a.notified_at AS notified_at,
    a.run_id AS run_id,
    a.group_id AS group_id
FROM alerts AS a FINAL
WHERE toString(a.state) IN {states:Array(String)}
    AND toString(a.severity) IN {severities:Array(String)}
    AND (empty({group_ids:Array(String)}) OR a.group_id IN {group_ids:Array(String)})
    AND a.opened_at < {end:DateTime('UTC')}
    AND (isNull(a.closed_at) OR a.closed_at >= {start:DateTime('UTC')})
    AND (
        empty({after:Array(String)})
        OR (a.opened_at, a.alert_id) < (
            parseDateTime64BestEffortOrZero({after:Array(String)}[1], 6, 'UTC'), {after:Array(String)}[2]
        )
    )
ORDER BY a.opened_at DESC, a.alert_id DESC
LIMIT {limit:UInt64}
