with source as (
    select * from {{ source('powersense', 'stream_results') }} final
)

select
    concat(topic, '/', `partition`, '/', offset) as message_id,
    topic as source_topic,
    `partition` as source_partition,
    offset as source_offset,
    asset_id,
    sensor_id,
    observed_at,
    final_score,
    is_anomaly,
    toString(criticality) as criticality,
    model_id,
    model_names,
    scores,
    thresholds,
    flags,
    features,
    metadata,
    notes,
    scored_at,
    inserted_at
from source
