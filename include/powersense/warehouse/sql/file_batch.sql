WITH candidates AS (
    SELECT path, size, modified_at, etag, version
    FROM file_candidates
    WHERE
        ingestion = {ingestion:String}
        AND comparison_id = {comparison_id:String}
        AND batch = {batch:UInt32}
)

SELECT
    candidates.path AS path,
    candidates.size AS size,
    candidates.modified_at AS modified_at,
    candidates.etag AS etag,
    known.attempts AS attempts,
    known.claims AS claims
FROM candidates
INNER JOIN (
    SELECT path, version, state, attempts, claims, run_id, claimed_until
    FROM file_states FINAL
    WHERE ingestion = {ingestion:String} AND path IN (SELECT path FROM candidates)
) AS known ON candidates.path = known.path
WHERE
    known.version = candidates.version
    AND (
        known.state IN ('new', 'failed')
        OR (known.state = 'skipped' AND known.run_id != {run_id:String})
        -- Of this run: an earlier try of the same task, which has ended.
        OR (known.state = 'loading' AND (known.run_id = {run_id:String} OR known.claimed_until <= now64(6, 'UTC')))
    )
ORDER BY modified_at, path
