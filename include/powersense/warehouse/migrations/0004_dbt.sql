-- What each dbt run made of each model and test: tasks keep no files, their outcome stays here. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.dbt_results ${on_cluster}
(
    invocation_id String,
    node_id String,
    resource_type LowCardinality(String),
    name String,
    tested_node String,
    status LowCardinality(String),
    failures Nullable(UInt64),
    message String,
    seconds Float64,
    command LowCardinality(String),
    is_whole_run Bool,
    dag_id LowCardinality(String),
    run_id String,
    started_at DateTime64(6, 'UTC'),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded_at)
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, invocation_id, node_id)
TTL toDateTime(started_at) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1;

-- dbt asks every few minutes which rows were stored since it last looked; only the granules that got some are read.
ALTER TABLE ${database}.measurements ${on_cluster} ADD INDEX IF NOT EXISTS inserted_at_range inserted_at TYPE minmax;
