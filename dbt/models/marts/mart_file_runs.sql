with runs as (
    select * from {{ ref('stg_powersense__file_runs') }}
),

measured as (
    select
        {{ paris_day('started_at') }} as day,
        ingestion,
        run_id,
        state,
        is_dry_run,
        started_at,
        finished_at,
        seconds,
        files_listed,
        files_new + files_changed + files_retried as files_due,
        files_waiting,
        files_loaded,
        files_failed,
        files_quarantined,
        files_skipped,
        rows_loaded,
        rows_quarantined,
        bytes_read,
        if(seconds > 0, rows_loaded / seconds, null) as rows_per_second,
        error
    from runs
)

select * from measured
