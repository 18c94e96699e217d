-- One row per scored point and detector; rescoring replaces. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.scores ${on_cluster}
(
    detector LowCardinality(String),
    metric LowCardinality(String),
    area LowCardinality(String),
    observed_at DateTime('UTC') CODEC(DoubleDelta, LZ4),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    version UInt32,
    value Float64,
    expected_mw Nullable(Float64),
    scale_mw Nullable(Float64),
    z_score Nullable(Float64),
    lower_mw Nullable(Float64),
    upper_mw Nullable(Float64),
    threshold Float64,
    min_deviation_mw Float64,
    sample_size UInt32,
    day_type LowCardinality(String),
    bucket UInt16,
    direction Enum8('low' = -1, 'none' = 0, 'high' = 1),
    is_anomaly Bool,
    status Enum8('scored' = 1, 'insufficient_history' = 2, 'superseded' = 3),
    run_id LowCardinality(String),
    scored_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(scored_at)
PARTITION BY toYear(observed_at)
ORDER BY (detector, metric, area, observed_at)
SETTINGS index_granularity = 1024;

-- Points that were flagged, with retracted_at set once a revision heals them. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.anomalies ${on_cluster}
(
    detector LowCardinality(String),
    metric LowCardinality(String),
    area LowCardinality(String),
    observed_at DateTime('UTC'),
    value Float64,
    expected_mw Float64,
    z_score Float64,
    deviation_mw Float64,
    direction Enum8('low' = -1, 'none' = 0, 'high' = 1),
    severity LowCardinality(String),
    detected_at DateTime64(6, 'UTC'),
    retracted_at Nullable(DateTime64(6, 'UTC')),
    run_id String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY (detector, metric, area, observed_at);

-- Contiguous anomalies of one series. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.episodes ${on_cluster}
(
    episode_id String,
    detector LowCardinality(String),
    metric LowCardinality(String),
    area LowCardinality(String),
    started_at DateTime('UTC'),
    ended_at DateTime('UTC'),
    points UInt32,
    peak_at DateTime('UTC'),
    peak_z_score Float64,
    peak_deviation_mw Float64,
    direction Enum8('low' = -1, 'none' = 0, 'high' = 1),
    severity LowCardinality(String),
    explanation String,
    state Enum8('open' = 1, 'closed' = 2, 'retracted' = 3),
    run_id String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY episode_id;

-- One row per problem from opening to closing; a repeated finding updates it. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.alerts ${on_cluster}
(
    alert_id String,
    fingerprint String,
    rule LowCardinality(String),
    severity Enum8('info' = 1, 'warning' = 2, 'critical' = 3),
    area LowCardinality(String),
    subject String,
    message String,
    runbook String,
    state Enum8('open' = 1, 'closed' = 2),
    opened_at DateTime64(6, 'UTC'),
    last_seen_at DateTime64(6, 'UTC'),
    closed_at Nullable(DateTime64(6, 'UTC')),
    occurrences UInt32,
    notified_at Nullable(DateTime64(6, 'UTC')),
    run_id String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(updated_at)
ORDER BY (fingerprint, alert_id);
