-- Who was told what of an alert, and who took it on. A claim is an insert with a deduplication token: of several checks
-- that claim one notice at once, the engine keeps the first row and drops the others.
CREATE TABLE IF NOT EXISTS ${database}.alert_notices ${on_cluster}
(
    alert_id String,
    event Enum8('opened' = 1, 'escalated' = 2, 'closed' = 3),
    severity Enum8('info' = 1, 'warning' = 2, 'critical' = 3),
    target LowCardinality(String),
    attempt UInt8,
    outcome Enum8('claimed' = 1, 'sent' = 2, 'failed' = 3),
    claimant String,
    detail String,
    run_id String,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
ORDER BY (alert_id, target, event, severity, attempt, outcome)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;
