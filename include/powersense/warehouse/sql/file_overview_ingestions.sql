-- Declared ingestions after a name, or one by its name: with their files by state, and their newest run that loads.
WITH
    declared AS
    (
        SELECT
            ingestion,
            declaration,
            toString(origin) AS origin,
            is_enabled,
            changed_by,
            changed_at
        FROM file_ingestions FINAL
        WHERE NOT is_deleted AND ingestion > {after:String}
            AND ({ingestion:String} = '' OR ingestion = {ingestion:String})
        ORDER BY ingestion
        LIMIT {limit:UInt32}
    ),
    files AS
    (
        SELECT
            ingestion,
            sumMap(map(toString(state), toUInt64(1))) AS files,
            sum(rows) AS rows,
            sumIf(size, load_id > 0) AS bytes,
            max(loaded_at) AS newest_loaded_at,
            maxOrNull(greatest(first_seen_at, least(modified_at, now64(6, 'UTC')))) AS newest_came_at
        FROM file_states FINAL
        WHERE ingestion IN (SELECT ingestion FROM declared)
        GROUP BY ingestion
    ),
    runs AS
    (
        SELECT
            ingestion,
            argMax(run_id, started_at) AS last_run_id
        FROM file_runs FINAL
        WHERE NOT is_dry_run AND ingestion IN (SELECT ingestion FROM declared)
        GROUP BY ingestion
    )

SELECT
    declared.ingestion AS ingestion,
    declared.declaration AS declaration,
    declared.origin AS origin,
    declared.is_enabled AS is_enabled,
    declared.changed_by AS changed_by,
    declared.changed_at AS changed_at,
    files.files AS files,
    files.rows AS rows,
    files.bytes AS bytes,
    files.newest_loaded_at AS newest_loaded_at,
    files.newest_came_at AS newest_came_at,
    runs.last_run_id AS last_run_id
FROM declared
LEFT JOIN files ON declared.ingestion = files.ingestion
LEFT JOIN runs ON declared.ingestion = runs.ingestion
ORDER BY ingestion
