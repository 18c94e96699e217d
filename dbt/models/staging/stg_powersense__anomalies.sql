with source as (
    select * from {{ source('powersense', 'anomalies') }} final
)

select
    detector,
    metric,
    area,
    observed_at,
    value as load_mw,
    expected_mw,
    deviation_mw,
    z_score,
    direction,
    severity,
    detected_at,
    retracted_at,
    retracted_at is not null as is_retracted,
    run_id
from source
