-- Targets that count as anomalies while a detector works; the table ends with the session.
CREATE TEMPORARY TABLE scoring_flags
(
    area LowCardinality(String),
    observed_at DateTime('UTC')
)
ENGINE = Memory
