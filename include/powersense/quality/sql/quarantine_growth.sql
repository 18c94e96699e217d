-- One row per source and reason: records about the last week that were first set aside within 24 hours.
SELECT
    source,
    reason,
    count() AS records,
    uniqExact(area) AS areas,
    argMax(detail, first_seen_at) AS example
FROM quarantine FINAL
WHERE first_seen_at > {now:DateTime('UTC')} - INTERVAL 1 DAY
    AND (isNull(observed_at) OR observed_at > {now:DateTime('UTC')} - INTERVAL 7 DAY)
GROUP BY source, reason
ORDER BY source, reason
