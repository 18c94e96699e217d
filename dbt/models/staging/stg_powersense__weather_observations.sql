with source as (
    select * from {{ source('powersense', 'weather_observations') }} final
)

select
    metric,
    station,
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
