with ingestions as (
    select * from {{ ref('stg_powersense__file_ingestions') }}
),

files as (
    select
        ingestion,
        count() as files,
        countIf(state = 'loaded') as files_loaded,
        countIf(state in ('new', 'loading', 'failed')) as files_waiting,
        countIf(state = 'quarantined') as files_quarantined,
        countIf(state = 'skipped') as files_skipped,
        -- An earlier content counts until a newer one is loaded.
        sumIf(rows_loaded, notEmpty(loaded_version)) as rows_counted,
        sum(size_bytes) as size_bytes,
        maxOrNull(greatest(first_seen_at, least(modified_at, {{ as_of() }}))) as newest_file_at,
        maxOrNull(loaded_at) as last_loaded_at
    from {{ ref('stg_powersense__file_states') }}
    group by ingestion
),

runs as (
    select
        ingestion,
        count() as runs,
        argMax(run_id, started_at) as last_run_id,
        argMax(state, started_at) as last_run_state,
        maxOrNull(started_at) as last_run_at,
        argMax(error, started_at) as last_run_error
    from {{ ref('stg_powersense__file_runs') }}
    where not is_dry_run
    group by ingestion
),

standing as (
    select
        ingestions.ingestion as ingestion,
        ingestions.source_uri as source_uri,
        ingestions.file_format as file_format,
        ingestions.target_table as target_table,
        ingestions.schedule as schedule,
        ingestions.origin as origin,
        ingestions.is_enabled as is_enabled,
        files.files as files,
        files.files_loaded as files_loaded,
        files.files_waiting as files_waiting,
        files.files_quarantined as files_quarantined,
        files.files_skipped as files_skipped,
        files.rows_counted as rows_loaded,
        files.size_bytes as size_bytes,
        files.newest_file_at as newest_file_at,
        files.last_loaded_at as last_loaded_at,
        runs.runs as runs,
        runs.last_run_id as last_run_id,
        if(runs.runs = 0, 'never', runs.last_run_state) as last_run_state,
        runs.last_run_at as last_run_at,
        runs.last_run_error as last_run_error,
        coalesce(
            dateDiff('second', coalesce(files.newest_file_at, ingestions.changed_at), {{ as_of() }})
            > 3600 * ingestions.deadline_hours,
            false
        ) as is_overdue
    from ingestions
    left join files on ingestions.ingestion = files.ingestion
    left join runs on ingestions.ingestion = runs.ingestion
    where not ingestions.is_deleted
)

select * from standing
