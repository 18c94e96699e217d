-- One row per ingestion that is not deleted: its files by state, what they hold, and its last finished run.
SELECT
    ingestions.ingestion AS ingestion,
    ingestions.is_enabled AS is_enabled,
    files.by_state AS files_by_state,
    files.row_count AS row_count,
    files.size_bytes AS size_bytes,
    files.newest_file_at AS newest_file_at,
    runs.started_at AS last_run_at,
    runs.last_seconds AS last_run_seconds,
    runs.last_state = 'failed' AS is_last_run_failed
FROM (SELECT * FROM file_ingestions FINAL WHERE NOT is_deleted) AS ingestions
LEFT JOIN
(
    SELECT
        ingestion,
        sumMap(map(toString(state), toUInt64(1))) AS by_state,
        sumIf(rows, loaded_version != '') AS row_count,
        sum(size) AS size_bytes,
        maxOrNull(greatest(first_seen_at, least(modified_at, now64(6, 'UTC')))) AS newest_file_at
    FROM file_states FINAL
    GROUP BY ingestion
) AS files ON files.ingestion = ingestions.ingestion
LEFT JOIN
(
    SELECT
        ingestion,
        maxOrNull(newest.started_at) AS started_at,
        argMax(newest.seconds, newest.started_at) AS last_seconds,
        argMax(toString(newest.state), newest.started_at) AS last_state
    FROM file_runs AS newest FINAL
    WHERE newest.state != 'running' AND NOT newest.is_dry_run
    GROUP BY ingestion
) AS runs ON runs.ingestion = ingestions.ingestion
ORDER BY ingestion
