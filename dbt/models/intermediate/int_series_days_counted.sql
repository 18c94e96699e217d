{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by='toYYYYMM(day)',
    order_by=['metric', 'area', 'day'],
) }}
{%- set months = rebuilt_months() %}

with due as (
    select
        metric,
        area,
        observed_at,
        vintage,
        inserted_at,
        {{ paris_day('observed_at') }} as day,
        toMinute(observed_at) as minute_of_hour
    from {{ ref('measurements_latest') }}
    where
        {{ in_months('observed_at', months) }}
        and observed_at < {{ due_until() }}
        and publisher != 'powersense'
),

counted as (
    select
        metric,
        area,
        day,
        countIf(minute_of_hour % 15 = 0) as quarter_hour_slots,
        countIf(minute_of_hour % 30 = 0) as half_hour_slots,
        countIf(minute_of_hour = 0) as hour_slots,
        countIf(vintage = 'realtime') as realtime_slots,
        countIf(vintage = 'consolidated') as consolidated_slots,
        countIf(vintage = 'definitive') as definitive_slots,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at,
        max(inserted_at) as newest_inserted_at
    from due
    group by metric, area, day
),

-- A grid is a day's cadence when at least half of the slots that only it has are there: stray quarters in a
-- half-hourly series (a consolidated day with one real-time value left) do not double what is expected. Three slots
-- say nothing about a grid.
series_days as (
    select
        day,
        metric,
        area,
        multiIf(
            quarter_hour_slots < 4, null,
            (quarter_hour_slots - half_hour_slots) * 2 >= half_hour_slots, 15,
            (half_hour_slots - hour_slots) * 2 >= hour_slots, 30,
            60
        ) as cadence_minutes,
        quarter_hour_slots,
        half_hour_slots,
        hour_slots,
        realtime_slots,
        consolidated_slots,
        definitive_slots,
        first_observed_at,
        last_observed_at,
        newest_inserted_at,
        {{ as_of() }} as as_of
    from counted
)

select * from series_days
