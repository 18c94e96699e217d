{{ config(
    materialized='incremental', incremental_strategy='insert_overwrite', on_schema_change='fail',
    partition_by='toYYYYMM(target_day)', order_by=['area', 'target_day', 'day_lead', 'model'],
) }}
{%- set months = rebuilt_forecast_months() %}

with chosen as (
    select
        area,
        max(issued_at) as newest
    from {{ source('powersense', 'forecasts') }}
    where {{ paris_time('issued_at') }} <= '18:00' and {{ in_months('issued_at', months, lookback_days=8) }}
    group by area, {{ paris_day('issued_at') }}
),

forecasts as (
    select
        *,
        {{ paris_day('target_at') }} as target_day,
        target_day - {{ paris_day('issued_at') }} as day_lead
    from {{ ref('stg_powersense__forecasts') }}
    where
        (area, issued_at) in (select (chosen.area, chosen.newest) from chosen)
        and {{ in_months('issued_at', months, lookback_days=8) }} and {{ in_months('target_at', months) }}
),

half_hours as (
    select
        area as load_area,
        half_hour,
        avgIf(value, metric = 'consommation') as load_mw,
        avgIf(value, metric = 'prevision_j1') as rte_mw,
        max(inserted_at) as load_inserted_at
    from (
        select
            *,
            toStartOfInterval(observed_at, toIntervalMinute(30)) as half_hour,
            max(vintage) over (partition by metric, area, half_hour) as best
        from {{ ref('measurements_latest') }}
        where metric in ('consommation', 'prevision_j1') and {{ in_months('observed_at', months) }}
    )
    where vintage = best
    group by area, half_hour
),

compared as (
    select
        forecasts.*,
        half_hours.*,
        forecasts.q500_mw - half_hours.load_mw as error_mw,
        if(half_hours.rte_mw > 0, half_hours.rte_mw - half_hours.load_mw, null) as rte_error_mw
    from forecasts
    inner join half_hours on forecasts.area = half_hours.load_area and forecasts.target_at = half_hours.half_hour
    where forecasts.day_lead between 1 and 7 and half_hours.load_mw > 0
),

measured as (
    select
        area,
        target_day,
        toUInt8(day_lead) as day_lead,
        model,
        any(issued_at) as issued_at,
        toUInt16(count()) as half_hours,
        avg(load_mw) as mean_load_mw,
        avg(abs(error_mw) / load_mw) as mape,
        sqrt(avg(error_mw * error_mw)) as rmse_mw,
        avg(error_mw) as bias_mw,
        avg({{ pinball('load_mw') }}) as pinball_mw,
        avg(toFloat64(load_mw between q100_mw and q900_mw)) as coverage_80,
        max(fallback_level) as worst_fallback_level,
        toUInt16(count(rte_error_mw)) as rte_half_hours,
        avg(abs(rte_error_mw) / load_mw) as rte_mape,
        sqrt(avg(rte_error_mw * rte_error_mw)) as rte_rmse_mw,
        greatest(max(inserted_at), max(load_inserted_at)) as newest_inserted_at
    from compared
    group by area, target_day, day_lead, model
)

select * from measured
