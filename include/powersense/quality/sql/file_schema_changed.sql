-- One row per enabled ingestion that within a day loaded files of another shape: how many, and each change once.
SELECT
    changed.ingestion AS ingestion,
    uniqExact(changed.path) AS files,
    argMax(changed.path, changed.finished_at) AS path,
    topK(20)(changed.change) AS changes
FROM
(
    SELECT
        ingestion,
        path,
        finished_at,
        arrayJoin(schema_changes) AS change
    FROM file_loads
    WHERE finished_at > {now:DateTime('UTC')} - INTERVAL 1 DAY
        AND finished_at <= {now:DateTime('UTC')}
        AND outcome = 'loaded'
        AND ingestion IN
        (
            SELECT ingestion
            FROM file_ingestions FINAL
            WHERE is_enabled AND NOT is_deleted
        )
) AS changed
GROUP BY changed.ingestion
ORDER BY ingestion
