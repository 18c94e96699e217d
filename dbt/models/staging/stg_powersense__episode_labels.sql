with source as (
    select * from {{ source('powersense', 'episode_labels') }}
)

select
    episode_id,
    label,
    comment,
    author,
    detector,
    metric,
    area,
    direction,
    started_at,
    ended_at,
    peak_z_score,
    labelled_at
from source
