with source as (
    select * from {{ source('powersense', 'file_loads') }}
)

select
    ingestion,
    path,
    version,
    load_id,
    attempt,
    run_id,
    toString(outcome) as outcome,
    reader,
    `rows` as rows_loaded,
    rows_quarantined,
    bytes as bytes_read,
    seconds,
    error,
    first_bad_line,
    schema_changes,
    started_at,
    finished_at
from source
