-- One row per figure of a backtest's scorecard; the same run again replaces its rows. Sorted for "how did this area's
-- models do, lead by lead". Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.backtests ${on_cluster}
(
    run_key String,
    area LowCardinality(String),
    model LowCardinality(String),
    reference LowCardinality(String),
    lead_day UInt8,
    slice LowCardinality(String),
    metric LowCardinality(String),
    value Float64,
    first_day Date,
    last_day Date,
    weather LowCardinality(String),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    code_version LowCardinality(String),
    ran_at DateTime64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(ran_at)
ORDER BY (area, model, run_key, reference, lead_day, slice, metric);
