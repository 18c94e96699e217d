-- Alerts of one rule that opened together are one group: what people acknowledge, silence and hear of. Its id is set by
-- the step that opens an alert; an alert from before groups is one of its own.
ALTER TABLE ${database}.alerts ${on_cluster} ADD COLUMN IF NOT EXISTS group_id String DEFAULT alert_id AFTER run_id;

-- A notice tells of a group: `alert_id` holds the group's id, `alert_ids` names the alerts in it. `occasion` tells two
-- notices of one event and severity apart.
ALTER TABLE ${database}.alert_notices ${on_cluster} MODIFY COLUMN event
    Enum8('opened' = 1, 'escalated' = 2, 'closed' = 3, 'joined' = 4, 'unacknowledged' = 5);
ALTER TABLE ${database}.alert_notices ${on_cluster}
    ADD COLUMN IF NOT EXISTS alert_ids Array(String) DEFAULT [alert_id] AFTER recorded_at;
ALTER TABLE ${database}.alert_notices ${on_cluster}
    ADD COLUMN IF NOT EXISTS occasion String DEFAULT '' AFTER alert_ids;

-- What people did about groups, for ever; nothing is changed, so that two writers never race on a row. `severity` is the
-- group's at that moment: an acknowledgement holds up to it.
CREATE TABLE IF NOT EXISTS ${database}.alert_actions ${on_cluster}
(
    group_id String,
    action Enum8('acknowledge' = 1, 'unacknowledge' = 2, 'comment' = 3),
    author String,
    comment String,
    severity Enum8('info' = 1, 'warning' = 2, 'critical' = 3),
    action_id String,
    acted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
ORDER BY (group_id, acted_at, action_id);

-- Windows in which nobody is told of alerts: of some rules (none: all) in some areas (none: all). Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.alert_silences ${on_cluster}
(
    silence_id String,
    rules Array(String),
    areas Array(String),
    starts_at DateTime64(6, 'UTC'),
    ends_at DateTime64(6, 'UTC'),
    reason String,
    author String,
    ended_by String,
    created_at DateTime64(6, 'UTC'),
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY silence_id;

-- Alerts with the end of the silence that lies over each at an instant, NULL without; closed ones are never silenced.
CREATE OR REPLACE VIEW ${database}.alerts_with_silence ${on_cluster} AS
WITH (
    SELECT groupArray((s.rules, s.areas, s.ends_at))
    FROM ${database}.alert_silences AS s FINAL
    WHERE s.starts_at <= {at:DateTime64(6, 'UTC')} AND s.ends_at > {at:DateTime64(6, 'UTC')}
) AS silences
SELECT
    a.alert_id AS alert_id,
    a.fingerprint AS fingerprint,
    a.rule AS rule,
    a.severity AS severity,
    a.area AS area,
    a.subject AS subject,
    a.message AS message,
    a.runbook AS runbook,
    a.state AS state,
    a.opened_at AS opened_at,
    a.last_seen_at AS last_seen_at,
    a.closed_at AS closed_at,
    a.occurrences AS occurrences,
    a.notified_at AS notified_at,
    a.run_id AS run_id,
    a.group_id AS group_id,
    a.updated_at AS updated_at,
    arrayFilter(
        s -> a.state = 'open' AND (empty(s.1) OR has(s.1, a.rule)) AND (empty(s.2) OR has(s.2, a.area)), silences
    ) AS over_it,
    if(empty(over_it), NULL, arrayMax(s -> s.3, over_it)) AS silenced_until
FROM ${database}.alerts AS a FINAL;

-- Groups as they stand: one row each. `severity`, `subject` and `message` are those of the gravest alert that is open, or
-- of the gravest of all once none is. An acknowledgement for a lower severity than the present one no longer holds.
-- `silenced_until` is set when a silence lies over every open alert at `at`.
CREATE OR REPLACE VIEW ${database}.alert_groups ${on_cluster} AS
WITH
    members AS (SELECT * FROM ${database}.alerts_with_silence(at = {at:DateTime64(6, 'UTC')})),
    acts AS (
        SELECT
            t.group_id AS group_id,
            argMax((t.action, t.author, t.severity, t.acted_at), (t.acted_at, t.action_id)) AS last
        FROM ${database}.alert_actions AS t
        WHERE t.action != 'comment'
        GROUP BY t.group_id
    ),
    groups AS (
        SELECT
            m.group_id AS group_id,
            any(m.rule) AS rule,
            any(m.runbook) AS runbook,
            countIf(m.state = 'open') AS open_alerts,
            count() AS alerts,
            argMax(
                (m.severity, m.subject, m.message),
                (m.state = 'open', m.severity, -toUnixTimestamp64Micro(m.opened_at), m.alert_id)
            ) AS gravest,
            arraySort(groupUniqArrayIf(toString(m.area), m.area != '')) AS areas,
            min(m.opened_at) AS opened_at,
            max(m.opened_at) AS last_opened_at,
            max(m.last_seen_at) AS last_seen_at,
            max(m.closed_at) AS last_closed_at,
            max(m.notified_at) AS notified_at,
            argMax(m.run_id, m.updated_at) AS run_id,
            max(m.updated_at) AS updated_at,
            countIf(m.state = 'open' AND isNull(m.silenced_until)) AS audible_alerts,
            min(m.silenced_until) AS first_silence_ends_at
        FROM members AS m
        GROUP BY m.group_id
    )
SELECT
    g.group_id AS group_id,
    g.rule AS rule,
    g.gravest.1 AS severity,
    a.last.1 = 'acknowledge' AND a.last.4 > toDateTime64(0, 6, 'UTC') AS was_acknowledged,
    was_acknowledged AND (g.open_alerts = 0 OR a.last.3 >= g.gravest.1) AS is_acknowledged,
    multiIf(g.open_alerts = 0, 'closed', is_acknowledged, 'acknowledged', 'open') AS state,
    g.areas AS areas,
    g.alerts AS alerts,
    g.open_alerts AS open_alerts,
    g.gravest.2 AS subject,
    g.gravest.3 AS message,
    g.runbook AS runbook,
    g.opened_at AS opened_at,
    g.last_opened_at AS last_opened_at,
    g.last_seen_at AS last_seen_at,
    if(g.open_alerts = 0, g.last_closed_at, NULL) AS closed_at,
    if(is_acknowledged, a.last.4, NULL) AS acknowledged_at,
    if(is_acknowledged, a.last.2, NULL) AS acknowledged_by,
    if(a.last.1 = 'unacknowledge', a.last.4, NULL) AS withdrawn_at,
    if(g.open_alerts > 0 AND g.audible_alerts = 0, g.first_silence_ends_at, NULL) AS silenced_until,
    g.notified_at AS notified_at,
    g.run_id AS run_id,
    g.updated_at AS updated_at
FROM groups AS g
LEFT JOIN acts AS a ON a.group_id = g.group_id;
