-- The targets' anomalies that stand from an earlier scoring: where nothing changed, the first pass confirms them.
INSERT INTO scoring_flags (area, observed_at)
SELECT
    area,
    observed_at
FROM anomalies FINAL
WHERE detector = {detector:String} AND metric = {metric:String} AND isNull(retracted_at)
    AND observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
    AND (area, observed_at) IN (SELECT area, observed_at FROM scoring_targets)
