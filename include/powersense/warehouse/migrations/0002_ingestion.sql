-- Records that break the contract, each once: seen again, only last_seen_at moves. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.quarantine ${on_cluster}
(
    source LowCardinality(String),
    reason LowCardinality(String),
    record_hash String,
    area SimpleAggregateFunction(any, LowCardinality(String)),
    observed_at SimpleAggregateFunction(any, Nullable(DateTime('UTC'))),
    detail SimpleAggregateFunction(any, String),
    record SimpleAggregateFunction(any, String) CODEC(ZSTD(3)),
    run_id SimpleAggregateFunction(any, String),
    first_seen_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT now64(6, 'UTC'),
    last_seen_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}AggregatingMergeTree
ORDER BY (source, reason, record_hash);

-- One row per batch, its latest state. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.ingestion_runs ${on_cluster}
(
    batch_id String,
    run_id String,
    dag_id LowCardinality(String),
    source LowCardinality(String),
    window_start DateTime('UTC'),
    window_end DateTime('UTC'),
    state Enum8('running' = 1, 'success' = 2, 'failed' = 3),
    started_at DateTime64(6, 'UTC'),
    finished_at Nullable(DateTime64(6, 'UTC')),
    seconds Nullable(Float64),
    records_seen UInt64,
    rows_seen UInt64,
    rows_new UInt64,
    rows_revised UInt64,
    rows_unchanged UInt64,
    rows_quarantined UInt64,
    newest_observed_at Nullable(DateTime('UTC')),
    error String,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded_at)
ORDER BY batch_id;

-- Paris-local days and what kind they are; filled by warehouse.calendar_days. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.calendar_days ${on_cluster}
(
    day Date,
    day_type LowCardinality(String),
    is_public_holiday Bool,
    holiday_name String,
    is_bridge_day Bool,
    hours_in_day UInt8,
    day_start_utc DateTime('UTC'),
    day_end_utc DateTime('UTC'),
    synced_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(synced_at)
ORDER BY day;
