-- Declared ingestions of files, from YAML and from the API. `declaration` is files.declaration.Ingestion as JSON.
-- A deleted one stays as is_deleted, so that its runs keep their name. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.file_ingestions ${on_cluster}
(
    ingestion LowCardinality(String),
    declaration String CODEC(ZSTD(3)),
    origin Enum8('yaml' = 1, 'api' = 2),
    is_enabled Bool,
    is_deleted Bool,
    changed_by String,
    changed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(changed_at)
ORDER BY ingestion;

-- Runs that people asked for through the API, until schedule_file_loads starts them. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.file_run_requests ${on_cluster}
(
    request_id String,
    ingestion LowCardinality(String),
    is_dry_run Bool,
    requested_by String,
    requested_at DateTime64(6, 'UTC'),
    run_id String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY request_id
TTL toDateTime(requested_at) + INTERVAL 90 DAY;

-- One row per run of an ingestion, its latest state. `run_id` is Airflow's. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.file_runs ${on_cluster}
(
    ingestion LowCardinality(String),
    run_id String,
    state Enum8('running' = 1, 'success' = 2, 'partial' = 3, 'failed' = 4),
    is_dry_run Bool,
    is_full_listing Bool,
    scheduled_for Nullable(DateTime('UTC')),
    comparison_id String,
    started_at DateTime64(6, 'UTC'),
    finished_at Nullable(DateTime64(6, 'UTC')),
    seconds Nullable(Float64),
    files_listed UInt64,
    files_new UInt64,
    files_changed UInt64,
    files_retried UInt64,
    files_waiting UInt64,
    files_loaded UInt64,
    files_failed UInt64,
    files_quarantined UInt64,
    files_skipped UInt64,
    rows_loaded UInt64,
    rows_changed UInt64,
    rows_quarantined UInt64,
    bytes_read UInt64,
    error String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY (ingestion, run_id);

-- What a listing found; compared with file_states inside the server. Sorted for that join. A listing tried again has
-- another id.
CREATE TABLE IF NOT EXISTS ${database}.file_listings ${on_cluster}
(
    ingestion LowCardinality(String),
    listing_id LowCardinality(String),
    path String,
    size UInt64,
    modified_at DateTime64(6, 'UTC'),
    etag String,
    -- As StoredFile.version.
    version String
        DEFAULT if(etag != '', etag, concat(toString(size), '-', toString(toUnixTimestamp64Micro(modified_at)))),
    listed_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(listed_at)
ORDER BY (ingestion, listing_id, path)
TTL listed_at + INTERVAL 2 DAY
SETTINGS ttl_only_drop_parts = 1;

-- What a comparison found to be done, one row per file; `batch` 0 waits for the next run. A dry run writes these too.
-- file_runs.comparison_id names a run's newest comparison.
CREATE TABLE IF NOT EXISTS ${database}.file_candidates ${on_cluster}
(
    ingestion LowCardinality(String),
    run_id LowCardinality(String),
    comparison_id LowCardinality(String),
    batch UInt32,
    path String,
    reason Enum8('new' = 1, 'changed' = 2, 'retried' = 3, 'waiting' = 4),
    size UInt64,
    modified_at DateTime64(6, 'UTC'),
    etag String,
    version String,
    compared_at DateTime64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(compared_at)
ORDER BY (ingestion, comparison_id, batch, path)
TTL toDateTime(compared_at) + INTERVAL 14 DAY
SETTINGS ttl_only_drop_parts = 1;

-- One row per file, its latest state. `load_id` names the load whose rows count, 0 before the first; `attempts` counts
-- those at the present version, `claims` is the number of the newest claim ever taken on the file. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.file_states ${on_cluster}
(
    ingestion LowCardinality(String),
    path String,
    file_id UInt64 MATERIALIZED sipHash64(ingestion, path),
    state Enum8('new' = 1, 'loading' = 2, 'loaded' = 3, 'failed' = 4, 'quarantined' = 5, 'skipped' = 6),
    version String,
    loaded_version String,
    load_id UInt64,
    size UInt64,
    modified_at DateTime64(6, 'UTC'),
    etag String,
    attempts UInt16,
    claims UInt32,
    rows UInt64,
    run_id String,
    claimed_until Nullable(DateTime64(6, 'UTC')),
    first_seen_at DateTime64(6, 'UTC'),
    loaded_at Nullable(DateTime64(6, 'UTC')),
    error String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY (ingestion, path);

-- Who may load a file, until when. A claim is an insert whose deduplication token is (ingestion, path, number): of two
-- runs that try for the same number, the engine keeps the first row and drops the other.
CREATE TABLE IF NOT EXISTS ${database}.file_claims ${on_cluster}
(
    ingestion LowCardinality(String),
    path String,
    number UInt32,
    version String,
    claimant String,
    claimed_until DateTime64(6, 'UTC'),
    claimed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
ORDER BY (ingestion, path, number)
TTL toDateTime(claimed_at) + INTERVAL 7 DAY
SETTINGS
    non_replicated_deduplication_window = 100000,
    replicated_deduplication_window = 100000,
    replicated_deduplication_window_seconds = 604800;

-- One row per attempt at a file, for ever.
CREATE TABLE IF NOT EXISTS ${database}.file_loads ${on_cluster}
(
    ingestion LowCardinality(String),
    path String,
    version String,
    load_id UInt64,
    attempt UInt16,
    run_id LowCardinality(String),
    outcome Enum8('loaded' = 3, 'failed' = 4, 'quarantined' = 5, 'skipped' = 6),
    reader LowCardinality(String),
    rows UInt64,
    rows_changed UInt64,
    rows_quarantined UInt64,
    bytes UInt64,
    seconds Float64,
    error String,
    first_bad_line String,
    schema_changes Array(String),
    started_at DateTime64(6, 'UTC'),
    finished_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX finished_at_range finished_at TYPE minmax
)
ENGINE = ${replicated}MergeTree
PARTITION BY toYYYYMM(finished_at)
ORDER BY (ingestion, path, finished_at);

-- Which load of a file its readers see: one row a file, the newest counts. Inserting it is the atomic switch from a
-- file's earlier content to its newest. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.file_activations ${on_cluster}
(
    target LowCardinality(String),
    file_id UInt64,
    load_id UInt64,
    modified_at DateTime64(6, 'UTC'),
    activated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(activated_at)
ORDER BY (target, file_id);
