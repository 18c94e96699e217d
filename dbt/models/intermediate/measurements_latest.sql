with latest as (
    select *
    from {{ source('powersense', 'measurements_as_known') }}(
        as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'),
        up_to_vintage = 'definitive'
    )
)

select
    metric,
    area,
    observed_at,
    value,
    vintage,
    version,
    publisher,
    source as source_id,
    run_id,
    inserted_at,
    retrieved_at
from latest
