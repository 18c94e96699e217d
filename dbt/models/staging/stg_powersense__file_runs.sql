with source as (
    select * from {{ source('powersense', 'file_runs') }} final
)

select
    ingestion,
    run_id,
    toString(state) as state,
    is_dry_run,
    is_full_listing,
    scheduled_for,
    started_at,
    finished_at,
    seconds,
    files_listed,
    files_new,
    files_changed,
    files_retried,
    files_waiting,
    files_loaded,
    files_failed,
    files_quarantined,
    files_skipped,
    rows_loaded,
    rows_quarantined,
    bytes_read,
    error
from source
