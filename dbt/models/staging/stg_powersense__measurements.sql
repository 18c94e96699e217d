with source as (
    select * from {{ source('powersense', 'measurements') }} final
)

select
    metric,
    area,
    observed_at,
    vintage,
    publisher,
    version,
    value,
    source as source_id,
    retrieved_at,
    inserted_at,
    run_id
from source
