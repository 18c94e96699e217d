-- One row per enabled ingestion with quarantined files: how many, how many of the last week's files, and the newest.
SELECT
    files.ingestion AS ingestion,
    countIf(files.is_quarantined) AS files,
    countIf(files.is_quarantined AND files.is_recent) AS recent,
    countIf(files.is_recent) AS recent_total,
    argMaxIf(files.path, files.updated_at, files.is_quarantined) AS path,
    argMaxIf(files.error, files.updated_at, files.is_quarantined) AS error
FROM
(
    SELECT
        ingestion,
        path,
        error,
        updated_at,
        state = 'quarantined' AS is_quarantined,
        greatest(first_seen_at, modified_at) > {now:DateTime('UTC')} - INTERVAL 7 DAY AS is_recent
    FROM file_states FINAL
    WHERE ingestion IN
    (
        SELECT ingestion
        FROM file_ingestions FINAL
        WHERE is_enabled AND NOT is_deleted
    )
) AS files
GROUP BY files.ingestion
HAVING countIf(files.is_quarantined) > 0
ORDER BY ingestion
