{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by='toYYYYMM(day)',
    order_by=['area', 'observed_at'],
) }}
{%- set months = rebuilt_months(spill_days=7) %}

with load as (
    select
        area,
        observed_at,
        vintage,
        toNullable(value) as load_mw,
        inserted_at
    from {{ ref('measurements_latest') }}
    where metric = 'consommation' and {{ in_months('observed_at', months, lookback_days=7) }}
),

calendar as (
    select * from {{ ref('stg_powersense__calendar_days') }}
),

-- Frames end one second before the row: a feature never holds the value that it is to explain.
windowed as (
    select
        area,
        observed_at,
        vintage,
        load_mw,
        inserted_at as newest_inserted_at,
        any(load_mw) over (past_areas range between 86400 preceding and 86400 preceding) as load_24h_ago_mw,
        any(load_mw) over (past_areas range between 172800 preceding and 172800 preceding) as load_48h_ago_mw,
        any(load_mw) over (past_areas range between 604800 preceding and 604800 preceding) as load_168h_ago_mw,
        avg(load_mw) over (past_areas range between 86400 preceding and 1 preceding) as load_mean_24h_mw,
        stddevPop(load_mw) over (past_areas range between 86400 preceding and 1 preceding) as load_stddev_24h_mw,
        avg(load_mw) over (past_areas range between 604800 preceding and 1 preceding) as load_mean_168h_mw
    from load
    window past_areas as (partition by area order by toUnixTimestamp(observed_at))
),

features as (
    select
        calendar.day as day,
        windowed.*,
        toUInt16(dateDiff('minute', toStartOfDay(local_time), local_time)) as minute_of_day,
        toDayOfWeek(calendar.day) as iso_weekday,
        calendar.day_type as day_type,
        calendar.is_public_holiday as is_public_holiday,
        calendar.is_bridge_day as is_bridge_day,
        toTimeZone(windowed.observed_at, 'Europe/Paris') as local_time
    from windowed
    inner join calendar on {{ paris_day('windowed.observed_at') }} = calendar.day
    where {{ in_months('windowed.observed_at', months) }}
)

select * from features
