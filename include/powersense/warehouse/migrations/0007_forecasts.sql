-- Load forecasts as they were issued, for ever: the row of an (area, issue, target) that was inserted first counts.
-- Sorted for the read of one area's issues; a deduplication token names each issue, so that of two writers one counts.
CREATE TABLE IF NOT EXISTS ${database}.forecasts ${on_cluster}
(
    area LowCardinality(String),
    issued_at DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    target_at DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    lead_minutes UInt16 CODEC(Delta, ZSTD),
    model_id LowCardinality(String),
    model LowCardinality(String),
    q025_mw Float32 CODEC(ZSTD),
    q100_mw Float32 CODEC(ZSTD),
    q250_mw Float32 CODEC(ZSTD),
    q500_mw Float32 CODEC(ZSTD),
    q750_mw Float32 CODEC(ZSTD),
    q900_mw Float32 CODEC(ZSTD),
    q975_mw Float32 CODEC(ZSTD),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    fallback_level UInt8,
    fallback_reason LowCardinality(String),
    load_age_minutes UInt32,
    weather_age_minutes Nullable(UInt32),
    run_id LowCardinality(String),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toYYYYMM(issued_at)
ORDER BY (area, issued_at, target_at)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;

-- The one rule by which forecasts are read: of each (area, issue, target) the row inserted first, if it was by `as_of`.
-- The argument is required; filter on area and issued_at.
CREATE OR REPLACE VIEW ${database}.forecasts_as_known ${on_cluster} AS
SELECT
    f.area AS area,
    f.issued_at AS issued_at,
    f.target_at AS target_at,
    f.lead_minutes AS lead_minutes,
    f.model_id AS model_id,
    f.model AS model,
    f.q025_mw AS q025_mw,
    f.q100_mw AS q100_mw,
    f.q250_mw AS q250_mw,
    f.q500_mw AS q500_mw,
    f.q750_mw AS q750_mw,
    f.q900_mw AS q900_mw,
    f.q975_mw AS q975_mw,
    f.vintage AS vintage,
    f.fallback_level AS fallback_level,
    f.fallback_reason AS fallback_reason,
    f.load_age_minutes AS load_age_minutes,
    f.weather_age_minutes AS weather_age_minutes,
    f.run_id AS run_id,
    f.inserted_at AS inserted_at
FROM ${database}.forecasts AS f
WHERE f.inserted_at <= {as_of:DateTime64(6, 'UTC')}
ORDER BY f.area, f.issued_at, f.target_at, f.inserted_at
LIMIT 1 BY f.area, f.issued_at, f.target_at;

-- One row per trained model; the artefact lies in the model store. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.models ${on_cluster}
(
    model_id String,
    area LowCardinality(String),
    model LowCardinality(String),
    trained_at DateTime('UTC'),
    data_until DateTime('UTC'),
    train_from DateTime('UTC'),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    features Array(LowCardinality(String)),
    uses_weather Bool,
    metrics String,
    code_version LowCardinality(String),
    seed UInt64,
    artefact_uri String,
    artefact_sha256 String,
    run_id String,
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
ORDER BY (area, model_id);

-- Every decision about who forecasts an area; the champion is the model of the latest. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.model_decisions ${on_cluster}
(
    area LowCardinality(String),
    decided_at DateTime('UTC'),
    action Enum8('promote' = 1, 'keep' = 2, 'rollback' = 3),
    model_id String,
    previous_model_id String,
    reason String,
    champion_mape Nullable(Float64),
    challenger_mape Nullable(Float64),
    margin Nullable(Float64),
    run_id String,
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
ORDER BY (area, decided_at, model_id, action);
