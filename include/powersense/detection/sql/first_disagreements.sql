-- Per area the first Paris day on which the results flag other points than the flags they rest on; no row where they agree.
SELECT
    area,
    min(day)
FROM (SELECT * FROM scoring_results ORDER BY pass DESC LIMIT 1 BY area, observed_at)
WHERE is_anomaly != ((area, observed_at) IN (SELECT area, observed_at FROM scoring_flags))
GROUP BY area
