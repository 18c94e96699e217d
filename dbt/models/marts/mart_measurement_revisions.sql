{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by='toYYYYMM(day)',
    order_by=['day', 'area', 'metric', 'vintage', 'kind', 'age_bucket'],
) }}
{%- set months = rebuilt_months() %}

with revised as (
    select * from {{ ref('int_measurements_revised') }}
    where {{ in_months('observed_at', months) }}
),

aged as (
    select
        *,
        {{ paris_day('observed_at') }} as day,
        multiIf(
            age_hours < 1, 'under_1_hour',
            age_hours < 24, '1_to_24_hours',
            age_hours < 168, '1_to_7_days',
            age_hours < 840, '7_to_35_days',
            'over_35_days'
        ) as age_bucket
    from revised
),

summed as (
    select
        day,
        area,
        metric,
        previous_vintage,
        vintage,
        kind,
        age_bucket,
        count() as revised_values,
        countIf(is_filled) as filled_values,
        countIf(is_withdrawn) as withdrawn_values,
        avg(moved_by) as mean_move,
        avg(abs(moved_by)) as mean_absolute_move,
        max(abs(moved_by)) as largest_absolute_move,
        max(inserted_at) as newest_inserted_at
    from aged
    group by day, area, metric, previous_vintage, vintage, kind, age_bucket
)

select * from summed
