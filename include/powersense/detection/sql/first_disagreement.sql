-- The first Paris day on which the results flag other points than the flags they rest on; NULL once they agree.
SELECT minOrNull(day)
FROM (SELECT * FROM scoring_results ORDER BY pass DESC LIMIT 1 BY area, observed_at)
WHERE is_anomaly != ((area, observed_at) IN (SELECT area, observed_at FROM scoring_flags))
