-- One row per source and reason: records that were first set aside within a day.
SELECT
    source,
    reason,
    uniqExact(record_hash) AS records
FROM quarantine
WHERE first_seen_at > now('UTC') - INTERVAL 1 DAY
GROUP BY source, reason
ORDER BY source, reason
