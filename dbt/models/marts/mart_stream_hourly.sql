{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by='day',
    order_by=['asset_id', 'hour'],
    on_schema_change='fail',
) }}
{%- set days = rebuilt_stream_days() %}

with results as (
    select
        asset_id,
        toStartOfHour(observed_at) as hour,
        count() as messages,
        countIf(is_anomaly) as anomalies,
        avgOrNullIf(final_score, notEmpty(model_names)) as mean_score,
        maxOrNullIf(final_score, notEmpty(model_names)) as max_score,
        max(inserted_at) as newest_inserted_at
    from {{ ref('stg_powersense__stream_results') }}
    where {{ in_days('observed_at', days) }}
    group by asset_id, hour
),

-- Whose a dead letter was, and of when, it often does not say.
dead_letters as (
    select
        toStartOfHour(failed_at) as hour,
        count() as dead_letters,
        max(inserted_at) as newest_inserted_at
    from {{ ref('stg_powersense__stream_dead_letters') }}
    where {{ in_days('failed_at', days) }}
    group by hour
),

hourly as (
    select
        toDate(hour) as day,
        toString(asset_id) as asset_id,
        toDateTime(hour, 'UTC') as hour,
        messages,
        anomalies,
        toUInt64(0) as dead_letters,
        mean_score,
        max_score,
        newest_inserted_at
    from results
    union all
    select
        toDate(hour) as day,
        '' as asset_id,
        toDateTime(hour, 'UTC') as hour,
        toUInt64(0) as messages,
        toUInt64(0) as anomalies,
        dead_letters,
        null as mean_score,
        null as max_score,
        newest_inserted_at
    from dead_letters
)

select * from hourly
