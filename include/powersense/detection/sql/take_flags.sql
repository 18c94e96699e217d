-- The results' anomalies become the flags of the next pass.
INSERT INTO scoring_flags (area, observed_at)
SELECT
    area,
    observed_at
FROM (SELECT * FROM scoring_results ORDER BY pass DESC LIMIT 1 BY area, observed_at)
WHERE is_anomaly
