-- One row per scored message of the stream. The key is the input's position, so landing a message again replaces it;
-- asset and instant stand in it as well, since a topic that was made anew counts its offsets from 0 again.
-- Offsets grow with time, so that the indexes prune reads by time. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.stream_results ${on_cluster}
(
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD),
    asset_id LowCardinality(String),
    sensor_id LowCardinality(String),
    observed_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    final_score Float32 CODEC(ZSTD),
    is_anomaly Bool,
    criticality Enum8('low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4),
    model_id LowCardinality(String),
    model_names Array(LowCardinality(String)),
    scores Array(Float32) CODEC(ZSTD),
    thresholds Array(Float32) CODEC(ZSTD),
    flags Array(Bool),
    features Map(LowCardinality(String), Float64) CODEC(ZSTD),
    metadata String CODEC(ZSTD(3)),
    notes Array(String) CODEC(ZSTD),
    scored_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX observed_at_range observed_at TYPE minmax,
    INDEX scored_at_range scored_at TYPE minmax,
    INDEX inserted_at_range inserted_at TYPE minmax
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
PARTITION BY toYYYYMM(inserted_at)
ORDER BY (topic, partition, offset, asset_id, observed_at)
TTL toDateTime(inserted_at) + INTERVAL 13 MONTH
SETTINGS ttl_only_drop_parts = 1;

-- One row per message that could not be scored, with its bytes as they were. Keyed as stream_results. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.stream_dead_letters ${on_cluster}
(
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD),
    reason LowCardinality(String),
    detail String CODEC(ZSTD),
    original String CODEC(ZSTD(3)),
    failed_at DateTime64(3, 'UTC'),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    original_hash UInt64 DEFAULT sipHash64(original),
    INDEX failed_at_range failed_at TYPE minmax,
    INDEX inserted_at_range inserted_at TYPE minmax
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
PARTITION BY toYYYYMM(inserted_at)
ORDER BY (topic, partition, offset, original_hash)
TTL toDateTime(inserted_at) + INTERVAL 13 MONTH
SETTINGS ttl_only_drop_parts = 1;

-- One row per trained ensemble of the stream; the artefact lies in the model store. `scope` is '' for the pooled one or
-- an asset_id, and the newest `trained_at` of a scope serves it. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.stream_models ${on_cluster}
(
    model_id String,
    scope LowCardinality(String),
    model_names Array(LowCardinality(String)),
    feature_names Array(LowCardinality(String)),
    trained_at DateTime64(3, 'UTC'),
    data_from Nullable(DateTime64(3, 'UTC')),
    data_until Nullable(DateTime64(3, 'UTC')),
    rows_trained UInt64,
    metrics String,
    code_version LowCardinality(String),
    seed UInt64,
    artefact_uri String,
    artefact_sha256 String,
    source Enum8('api' = 1, 'schedule' = 2),
    run_id String,
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
ORDER BY (scope, model_id);

-- Heartbeats of the stream's workers: one row per worker and beat, of seven days. Counts are since the worker started.
-- Sorted for the newest beat of each worker.
CREATE TABLE IF NOT EXISTS ${database}.stream_workers ${on_cluster}
(
    worker_id LowCardinality(String),
    beat_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    state Enum8('waiting_for_model' = 1, 'running' = 2, 'paused' = 3, 'stopping' = 4, 'stopped' = 5),
    model_id LowCardinality(String),
    messages UInt64,
    anomalies UInt64,
    dead_letters UInt64,
    batch_p50_ms Float32,
    batch_p99_ms Float32,
    lag UInt64,
    partitions UInt16,
    version LowCardinality(String),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(inserted_at)
ORDER BY (worker_id, beat_at)
TTL toDateTime(inserted_at) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1;
