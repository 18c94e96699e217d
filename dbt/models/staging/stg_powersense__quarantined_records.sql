with source as (
    select * from {{ source('powersense', 'quarantine') }} final
)

select
    source as source_id,
    reason,
    record_hash,
    area,
    observed_at,
    detail,
    record,
    first_seen_at,
    run_id
from source
