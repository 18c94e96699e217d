-- Idempotency keys of pushed measurements: one row per (caller, key), claimed by compare-and-append, then again with the
-- answer. The windows remember the tokens of claims that are made at the same time; what is older is found by reading.
CREATE TABLE IF NOT EXISTS ${database}.push_requests ${on_cluster}
(
    caller String,
    idempotency_key String,
    body_sha256 String,
    batch_id String,
    claimed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    answer String,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded_at)
ORDER BY (caller, idempotency_key)
TTL toDateTime(claimed_at) + INTERVAL 30 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;
