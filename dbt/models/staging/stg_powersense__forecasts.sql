with source as (
    select *
    from {{ source('powersense', 'forecasts_as_known') }}(as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'))
)

select
    area,
    issued_at,
    target_at,
    lead_minutes,
    model_id,
    model,
    q025_mw,
    q100_mw,
    q250_mw,
    q500_mw,
    q750_mw,
    q900_mw,
    q975_mw,
    vintage,
    fallback_level,
    fallback_reason,
    load_age_minutes,
    weather_age_minutes,
    inserted_at,
    run_id
from source
