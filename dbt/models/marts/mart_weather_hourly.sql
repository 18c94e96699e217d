{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by='toYYYYMM(day)',
    order_by=['area', 'observed_at'],
    on_schema_change='fail',
) }}
{%- set months = rebuilt_weather_months() %}
-- depends_on: {{ ref('stg_powersense__weather_observations') }}

with by_area as (
    select * from {{ weather_by_area(months) }}
),

-- Read before the view, so that what is stored meanwhile is read again by the next run. Without FINAL: no row is newer.
stored as (
    select max(inserted_at) as newest_inserted_at from {{ source('powersense', 'weather_observations') }}
),

hourly as (
    select
        {{ paris_day('by_area.observed_at') }} as day,
        by_area.area as area,
        by_area.observed_at as observed_at,
        by_area.temperature_c as temperature_c,
        by_area.wind_speed_ms as wind_speed_ms,
        by_area.cloud_cover_pct as cloud_cover_pct,
        toUInt32(by_area.stations) as stations,
        assumeNotNull((select stored.newest_inserted_at from stored)) as newest_inserted_at
    from by_area
)

select * from hourly
