INSERT INTO file_candidates
    (ingestion, run_id, comparison_id, batch, path, reason, size, modified_at, etag, version, compared_at)
WITH
    found AS (
        SELECT
            listed.path AS path,
            listed.size AS size,
            listed.modified_at AS modified_at,
            listed.etag AS etag,
            listed.version AS version,
            multiIf(
                known.path = '', 'new',
                known.version != listed.version, 'changed',
                known.state = 'new', 'waiting',
                'retried'
            ) AS reason
        FROM (
            SELECT path, size, modified_at, etag, version
            FROM file_listings
            WHERE ingestion = {ingestion:String} AND listing_id = {listing_id:String}
        ) AS listed
        LEFT JOIN (
            SELECT path, version, state, claimed_until
            FROM file_states FINAL
            WHERE ingestion = {ingestion:String}
        ) AS known ON listed.path = known.path
        WHERE
            (known.path = '' OR known.version != listed.version OR known.state NOT IN ('loaded', 'quarantined'))
            AND NOT (known.state = 'loading' AND known.claimed_until > {compared_at:DateTime64(6, 'UTC')})
        LIMIT 1 BY path
    ),
    numbered AS (
        SELECT
            *,
            row_number() OVER (ORDER BY modified_at, path) AS position,
            sum(size) OVER (ORDER BY modified_at, path ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
        FROM found
    ),
    grouped AS (
        SELECT
            *,
            dense_rank() OVER (
                ORDER BY intDiv(position - 1, {batch_files:UInt64}), intDiv(bytes_before, {batch_bytes:UInt64})
            ) AS number
        FROM numbered
    )
SELECT
    {ingestion:String},
    {run_id:String},
    {comparison_id:String},
    if(position <= {max_files:UInt64} AND number <= {max_batches:UInt64}, number, 0),
    path,
    reason,
    size,
    modified_at,
    etag,
    version,
    {compared_at:DateTime64(6, 'UTC')}
FROM grouped
SETTINGS join_algorithm = 'full_sorting_merge', max_bytes_before_external_sort = 134217728
