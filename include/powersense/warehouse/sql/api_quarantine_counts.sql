-- How many records of each source were set aside, and why, of those that came within the range.
SELECT
    q.source AS source,
    q.reason AS reason,
    count() AS records,
    toUInt32(uniqExact(q.area)) AS areas,
    min(q.first_seen_at) AS first_seen_at,
    max(q.last_seen_at) AS last_seen_at,
    argMax(q.detail, q.last_seen_at) AS example
FROM quarantine AS q FINAL
WHERE q.last_seen_at >= {start:DateTime('UTC')}
    AND q.first_seen_at < {end:DateTime('UTC')}
    AND (
        empty({after:Array(String)})
        OR (q.source, q.reason) > ({after:Array(String)}[1], {after:Array(String)}[2])
    )
GROUP BY q.source, q.reason
ORDER BY q.source, q.reason
LIMIT {limit:UInt64}
