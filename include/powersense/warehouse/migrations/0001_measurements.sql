-- Every version of every value. Sorted for reads of one metric and area over a range of time.
-- Small granules and blocks serve the writer: a five-minute batch touches a few rows in each of some 500 series.
CREATE TABLE IF NOT EXISTS ${database}.measurements ${on_cluster}
(
    metric LowCardinality(String),
    area LowCardinality(String),
    observed_at DateTime('UTC') CODEC(DoubleDelta, LZ4),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    publisher LowCardinality(String),
    version UInt32,
    value Nullable(Float64),
    source LowCardinality(String),
    retrieved_at DateTime64(3, 'UTC'),
    run_id LowCardinality(String),
    batch_id LowCardinality(String),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    ukey String ALIAS toJSONString(CAST(
        (publisher, vintage, area, metric, formatDateTime(observed_at, '%Y-%m-%dT%H:%i:%SZ', 'UTC')),
        'Tuple(publisher String, vintage String, area String, metric String, observed_at String)'
    ))
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
PARTITION BY toYear(observed_at)
ORDER BY (metric, area, observed_at, vintage, publisher, version)
SETTINGS index_granularity = 1024, min_compress_block_size = 8192;

-- What fetches landed, before numbering. One landing is one contiguous range of the primary key.
CREATE TABLE IF NOT EXISTS ${database}.measurements_landing ${on_cluster}
(
    landing_id LowCardinality(String),
    batch_id LowCardinality(String),
    metric LowCardinality(String),
    area LowCardinality(String),
    observed_at DateTime('UTC'),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    publisher LowCardinality(String),
    value Nullable(Float64),
    source LowCardinality(String),
    retrieved_at DateTime64(3, 'UTC'),
    run_id LowCardinality(String),
    landed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(landed_at)
ORDER BY (landing_id, metric, area, observed_at, vintage, publisher)
TTL toDateTime(landed_at) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1;

-- The order of landings, agreed between writers by compare-and-append: one row per seq, then again once stored.
-- Never expires: seq must not start again. docs/adr/0002-versioned-writer-without-locks.md
CREATE TABLE IF NOT EXISTS ${database}.landings ${on_cluster}
(
    seq UInt64,
    landing_id String,
    batch_id String,
    row_count UInt64,
    metrics Array(LowCardinality(String)),
    areas Array(LowCardinality(String)),
    vintages Array(LowCardinality(String)),
    publishers Array(LowCardinality(String)),
    observed_from DateTime('UTC'),
    observed_to DateTime('UTC'),
    retrieved_from DateTime64(3, 'UTC'),
    retrieved_to DateTime64(3, 'UTC'),
    newest_observed_at Nullable(DateTime('UTC')),
    landed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    is_stored Bool DEFAULT false,
    INDEX landed_at_range landed_at TYPE minmax
)
ENGINE = ${replicated}ReplacingMergeTree(is_stored)
ORDER BY seq
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;

-- THE rule for which value counts: of the vintages allowed, the highest one's highest version with a value,
-- among what had been inserted by `as_of`. Both arguments are required; filter on metric, area and observed_at.
-- LIMIT BY in the table's own order takes rows as they are read; argMax over a hash of all keys takes four times as long.
CREATE OR REPLACE VIEW ${database}.measurements_as_known ${on_cluster} AS
SELECT
    m.metric AS metric,
    m.area AS area,
    m.observed_at AS observed_at,
    assumeNotNull(m.value) AS value,
    m.vintage AS vintage,
    m.version AS version,
    m.publisher AS publisher,
    m.source AS source,
    m.run_id AS run_id,
    m.inserted_at AS inserted_at,
    m.retrieved_at AS retrieved_at
FROM ${database}.measurements AS m
WHERE m.inserted_at <= {as_of:DateTime64(6, 'UTC')}
    AND m.vintage <= CAST({up_to_vintage:String}, 'Enum8(\'realtime\' = 1, \'consolidated\' = 2, \'definitive\' = 3)')
    AND isNotNull(m.value)
ORDER BY m.metric, m.area, m.observed_at, m.vintage DESC, m.version DESC, m.publisher DESC, m.inserted_at DESC
LIMIT 1 BY m.metric, m.area, m.observed_at;
