-- Superseded targets, beside the detector's results: no z-score, no band, never an anomaly.
INSERT INTO scoring_results (area, day, bucket, day_type, observed_at, vintage, version, value, direction, status)
SELECT
    area,
    day,
    bucket,
    day_type,
    observed_at,
    vintage,
    version,
    value,
    'none',
    'superseded'
FROM scoring_superseded
WHERE is_target
