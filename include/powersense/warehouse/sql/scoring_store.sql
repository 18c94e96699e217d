-- The scores, last of all: a point counts as scored once everything that follows from its score stands.
INSERT INTO scores
(
    detector, metric, area, observed_at, vintage, version, value, expected_mw, scale_mw, z_score, lower_mw, upper_mw, threshold,
    min_deviation_mw, sample_size, day_type, bucket, direction, is_anomaly, status, run_id, scored_at
)
SELECT
    {detector:String},
    {metric:String},
    area,
    observed_at,
    vintage,
    version,
    value,
    expected_mw,
    scale_mw,
    z_score,
    lower_mw,
    upper_mw,
    threshold,
    min_deviation_mw,
    sample_size,
    day_type,
    bucket,
    direction,
    is_anomaly,
    status,
    {run_id:String},
    scored_at
FROM scoring_final
