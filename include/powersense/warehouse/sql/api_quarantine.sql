-- Records set aside that came again within the range, the newest first.
SELECT
    q.source AS source,
    q.reason AS reason,
    q.record_hash AS record_hash,
    q.area AS area,
    q.observed_at AS observed_at,
    q.detail AS detail,
    q.record AS record,
    q.first_seen_at AS first_seen_at,
    q.last_seen_at AS last_seen_at,
    q.run_id AS run_id
FROM quarantine AS q FINAL
WHERE q.last_seen_at >= {start:DateTime('UTC')}
    AND q.first_seen_at < {end:DateTime('UTC')}
    AND (empty({sources:Array(String)}) OR q.source IN {sources:Array(String)})
    AND (empty({reasons:Array(String)}) OR q.reason IN {reasons:Array(String)})
    AND (
        empty({after:Array(String)})
        OR (q.last_seen_at, q.source, q.reason, q.record_hash) < (
            parseDateTime64BestEffortOrZero({after:Array(String)}[1], 6, 'UTC'),
            {after:Array(String)}[2],
            {after:Array(String)}[3],
            {after:Array(String)}[4]
        )
    )
ORDER BY q.last_seen_at DESC, q.source DESC, q.reason DESC, q.record_hash DESC
LIMIT {limit:UInt64}
