with source as (
    -- Of a run stored twice, the row inserted first counts.
    select * from {{ source('powersense', 'weather_forecasts') }}
    order by area, metric, source, run_at, target_at, inserted_at
    limit 1 by area, metric, source, run_at, target_at
)

select
    source as source_id,
    metric,
    area,
    run_at,
    target_at,
    dateDiff('hour', run_at, target_at) as lead_hours,
    value,
    retrieved_at,
    inserted_at,
    run_id
from source
