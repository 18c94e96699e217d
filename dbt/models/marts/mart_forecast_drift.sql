-- The residual of a day: load less forecast, over the day's load; whichever models made the forecast.
with days as (
    select
        area,
        day_lead,
        target_day,
        -sum(bias_mw * half_hours) / sum(mean_load_mw * half_hours) as residual_share,
        multiIf(
            target_day >= today - 14, 'recent',
            target_day < today - 250 and {{ season('target_day') }} = {{ season('today') }}, 'same_season',
            target_day >= today - 70, 'weeks_before',
            'other'
        ) as stretch,
        {{ paris_day(as_of()) }} as today
    from {{ ref('mart_forecast_errors') }}
    where target_day < today
    group by area, day_lead, target_day
),

stretches as (
    select
        area,
        day_lead,
        any(today) as as_of_day,
        countIf(stretch = 'recent') as recent_days,
        countIf(stretch = 'same_season') as season_days,
        countIf(stretch = 'weeks_before') as weeks_days,
        multiIf(season_days >= 28, 'same_season', weeks_days >= 28, 'weeks_before', 'none') as reference,
        avgIf(residual_share, stretch = 'recent') as recent_mean,
        avgIf(residual_share, stretch = 'same_season') as season_mean,
        avgIf(residual_share, stretch = 'weeks_before') as weeks_mean,
        stddevSampIf(residual_share, stretch = 'same_season') as season_stddev,
        stddevSampIf(residual_share, stretch = 'weeks_before') as weeks_stddev
    from days
    group by area, day_lead
    having recent_days > 0
),

-- Errors of neighbouring days go together: two weeks weigh as two observations, not as fourteen.
drifts as (
    select
        area,
        day_lead,
        as_of_day,
        toUInt16(recent_days) as recent_days,
        recent_mean as mean_residual_recent,
        toString(reference) as reference,
        toUInt16(if(reference = 'same_season', season_days, weeks_days * (reference != 'none'))) as reference_days,
        multiIf(
            reference = 'same_season', season_mean,
            reference = 'weeks_before', weeks_mean,
            null
        ) as mean_residual_reference,
        if(reference = 'same_season', season_stddev, weeks_stddev) as stddev,
        (recent_mean - mean_residual_reference) / (greatest(stddev, 0.002) / sqrt(2)) as shift_in_errors,
        if(recent_days < 7, null, round(shift_in_errors, 3)) as z_score
    from stretches
)

select * except (stddev, shift_in_errors) from drifts
