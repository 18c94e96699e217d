-- What publish_features has published of the areas' load: one row per half-hour and state of it. Read with FINAL.
-- `versions` is the sum over the half-hour's values, so that one that comes or is revised makes another state.
CREATE TABLE IF NOT EXISTS ${database}.stream_published ${on_cluster}
(
    area LowCardinality(String),
    observed_at DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    versions UInt32,
    run_id LowCardinality(String),
    published_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(published_at)
ORDER BY (area, observed_at, vintage, versions)
TTL toDateTime(published_at) + INTERVAL 90 DAY;
