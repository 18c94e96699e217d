with source as (
    select * from {{ source('powersense', 'stream_dead_letters') }} final
)

select
    concat(topic, '/', `partition`, '/', offset) as message_id,
    topic as source_topic,
    `partition` as source_partition,
    offset as source_offset,
    reason,
    detail,
    original,
    original_hash,
    failed_at,
    inserted_at
from source
