with source as (
    select * from {{ source('powersense', 'calendar_days') }} final
)

select
    day,
    day_type,
    is_public_holiday,
    is_bridge_day,
    holiday_name,
    hours_in_day,
    day_start_utc,
    day_end_utc
from source
