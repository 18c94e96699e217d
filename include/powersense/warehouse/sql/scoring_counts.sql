-- What a scoring came to: points, of which without enough history, superseded, anomalies; anomalies that are new, and healed ones.
SELECT
    (SELECT count() FROM scoring_final),
    (SELECT countIf(status = 'insufficient_history') FROM scoring_final),
    (SELECT countIf(status = 'superseded') FROM scoring_final),
    (SELECT countIf(is_anomaly) FROM scoring_final),
    (SELECT countIf(isNull(retracted_at) AND NOT was_active) FROM scoring_changes),
    (SELECT countIf(isNotNull(retracted_at)) FROM scoring_changes)
