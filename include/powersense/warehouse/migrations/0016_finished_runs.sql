-- The last step of a run of each core DAG leaves a row; the dead-man's switch and Prometheus ask for the newest. The
-- instant is the server's. A step that is repeated replaces its row. Read with FINAL where rows are counted.
CREATE TABLE IF NOT EXISTS ${database}.finished_runs ${on_cluster}
(
    dag_id LowCardinality(String),
    run_id String,
    finished_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(finished_at)
ORDER BY (dag_id, run_id)
TTL toDateTime(finished_at) + INTERVAL 30 DAY;
