{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by='toYYYYMM(day)',
    order_by=['day', 'area', 'metric', 'vintage'],
) }}
{%- set months = rebuilt_months() %}

with measurements as (
    select * from {{ ref('stg_powersense__measurements') }}
    where {{ in_months('observed_at', months) }}
),

first_versions as (
    select
        metric,
        area,
        vintage,
        {{ paris_day('observed_at') }} as day,
        dateDiff('second', observed_at, retrieved_at) / 60 as retrieval_lag_minutes,
        dateDiff('millisecond', retrieved_at, inserted_at) / 1000 as storing_lag_seconds,
        inserted_at
    from measurements
    where version = 1 and publisher != 'powersense'
),

lags as (
    select
        day,
        area,
        metric,
        vintage,
        count() as first_values,
        median(retrieval_lag_minutes) as retrieval_lag_p50_minutes,
        quantile(0.95)(retrieval_lag_minutes) as retrieval_lag_p95_minutes, -- noqa: LT01
        max(retrieval_lag_minutes) as retrieval_lag_max_minutes,
        median(storing_lag_seconds) as storing_lag_p50_seconds,
        quantile(0.95)(storing_lag_seconds) as storing_lag_p95_seconds, -- noqa: LT01
        max(inserted_at) as newest_inserted_at
    from first_versions
    group by day, area, metric, vintage
)

select * from lags
