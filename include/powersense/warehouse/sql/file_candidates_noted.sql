-- A file's row is written one tick after the row that it is made from: whatever a concurrent run writes meanwhile is
-- later, and stays.
INSERT INTO file_states
    (ingestion, path, state, version, loaded_version, load_id, size, modified_at, etag, attempts, claims, rows, run_id,
     claimed_until, first_seen_at, loaded_at, error, updated_at)
SELECT
    {ingestion:String},
    candidate.path,
    'new',
    candidate.version,
    known.loaded_version,
    known.load_id,
    candidate.size,
    candidate.modified_at,
    candidate.etag,
    0,
    known.claims,
    known.rows,
    {run_id:String},
    NULL,
    if(known.path = '', {compared_at:DateTime64(6, 'UTC')}, known.first_seen_at),
    known.loaded_at,
    '',
    if(known.path = '', {compared_at:DateTime64(6, 'UTC')}, known.updated_at + INTERVAL 1 MICROSECOND)
FROM (
    SELECT path, version, size, modified_at, etag
    FROM file_candidates
    WHERE
        ingestion = {ingestion:String}
        AND comparison_id = {comparison_id:String}
        AND reason IN ('new', 'changed')
) AS candidate
LEFT JOIN (
    SELECT path, version, state, loaded_version, load_id, claims, rows, claimed_until, first_seen_at, loaded_at, updated_at
    FROM file_states FINAL
    WHERE ingestion = {ingestion:String}
) AS known ON candidate.path = known.path
WHERE
    (known.path = '' OR known.version != candidate.version)
    AND NOT (known.state = 'loading' AND known.claimed_until > now64(6, 'UTC'))
SETTINGS join_algorithm = 'full_sorting_merge', max_bytes_before_external_sort = 134217728
