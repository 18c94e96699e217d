-- One row per enabled ingestion with a deadline: when its newest file came or was changed, and when its store was last
-- listed. A copied file may bear an old date, so that its first listing counts too.
SELECT
    ingestions.ingestion AS ingestion,
    assumeNotNull(ingestions.deadline_hours) AS deadline_hours,
    ingestions.changed_at AS declared_at,
    files.newest_file_at AS newest_file_at,
    files.newest_path AS newest_path,
    runs.last_run_at AS last_run_at
FROM
(
    SELECT
        ingestion,
        changed_at,
        JSONExtract(declaration, 'deadline_hours', 'Nullable(Float64)') AS deadline_hours
    FROM file_ingestions FINAL
    WHERE is_enabled
        AND NOT is_deleted
        AND isNotNull(JSONExtract(declaration, 'deadline_hours', 'Nullable(Float64)'))
) AS ingestions
LEFT JOIN
(
    SELECT
        ingestion,
        maxOrNull(greatest(first_seen_at, least(modified_at, {now:DateTime('UTC')}))) AS newest_file_at,
        argMax(path, greatest(first_seen_at, least(modified_at, {now:DateTime('UTC')}))) AS newest_path
    FROM file_states FINAL
    WHERE first_seen_at <= {now:DateTime('UTC')}
    GROUP BY ingestion
) AS files ON files.ingestion = ingestions.ingestion
LEFT JOIN
(
    SELECT
        ingestion,
        maxOrNull(started_at) AS last_run_at
    FROM file_runs FINAL
    WHERE started_at <= {now:DateTime('UTC')}
        AND state IN ('success', 'partial')
    GROUP BY ingestion
) AS runs ON runs.ingestion = ingestions.ingestion
ORDER BY ingestion
