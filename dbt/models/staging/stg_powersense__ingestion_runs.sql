with source as (
    select * from {{ source('powersense', 'ingestion_runs') }} final
)

select
    batch_id,
    run_id,
    source as source_id,
    dag_id,
    window_start,
    window_end,
    state,
    started_at,
    finished_at,
    seconds,
    rows_seen,
    rows_new,
    rows_revised,
    rows_unchanged,
    rows_quarantined,
    newest_observed_at,
    error
from source
