with source as (
    select * from {{ source('powersense', 'episodes') }} final
)

select
    episode_id,
    detector,
    metric,
    area,
    started_at,
    ended_at,
    points,
    peak_at,
    peak_z_score,
    peak_deviation_mw,
    direction,
    severity,
    explanation,
    state,
    updated_at,
    run_id
from source
