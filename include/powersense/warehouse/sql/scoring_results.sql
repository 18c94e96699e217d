-- A detector's answer: per target the row of the highest pass counts; the table ends with the session.
CREATE TEMPORARY TABLE scoring_results
(
    pass UInt32,
    area LowCardinality(String),
    day Date,
    bucket UInt16,
    day_type LowCardinality(String),
    observed_at DateTime('UTC'),
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
    direction Enum8('low' = -1, 'none' = 0, 'high' = 1),
    is_anomaly Bool,
    status Enum8('scored' = 1, 'insufficient_history' = 2, 'superseded' = 3)
)
ENGINE = Memory
