with source as (
    select * from {{ source('powersense', 'file_states') }} final
)

select
    ingestion,
    path,
    toString(state) as state,
    version,
    loaded_version,
    size as size_bytes,
    modified_at,
    attempts,
    `rows` as rows_loaded,
    first_seen_at,
    loaded_at,
    error,
    updated_at
from source
