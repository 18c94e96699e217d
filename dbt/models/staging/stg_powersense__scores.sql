with source as (
    select * from {{ source('powersense', 'scores') }} final
)

select
    detector,
    metric,
    area,
    observed_at,
    vintage,
    value as load_mw,
    expected_mw,
    lower_mw,
    upper_mw,
    z_score,
    threshold,
    sample_size,
    direction,
    is_anomaly,
    status,
    scored_at,
    run_id
from source
