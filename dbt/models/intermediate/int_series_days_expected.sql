with series_days as (
    select * from {{ ref('int_series_days_counted') }}
),

calendar as (
    select * from {{ ref('stg_powersense__calendar_days') }}
),

series as (
    select
        metric,
        area,
        min(first_observed_at) as first_observed_at,
        min(day) as first_day,
        max(day) as last_day,
        argMin(cadence_minutes, day) as first_cadence_minutes
    from series_days
    group by metric, area
),

clock as (
    select
        max(series_days.as_of) as as_of,
        max(series_days.as_of) - toIntervalMinute({{ var('publication_delay_minutes') }}) as due_until
    from series_days
),

-- Days that are too sparse to show their grid take that of the days before.
grids as (
    select
        metric,
        area,
        day,
        cadence_minutes
    from series_days
    where cadence_minutes is not null
),

spine as (
    select
        calendar.day as day,
        series.area as area,
        series.metric as metric,
        series.first_cadence_minutes as first_cadence_minutes,
        calendar.hours_in_day as hours_in_day,
        greatest(calendar.day_start_utc, series.first_observed_at) as expected_from,
        least(calendar.day_end_utc, toDateTime(clock.due_until)) as expected_until,
        expected_from > calendar.day_start_utc or expected_until < calendar.day_end_utc as is_partial_day,
        clock.as_of as as_of
    from calendar
    cross join series
    cross join clock
    where
        calendar.day >= series.first_day
        and calendar.day <= series.last_day + {{ var('retired_after_days') }}
        and calendar.day_start_utc < clock.due_until
)

select
    spine.day as day,
    spine.area as area,
    spine.metric as metric,
    spine.hours_in_day as hours_in_day,
    coalesce(grids.cadence_minutes, spine.first_cadence_minutes, 15) as cadence_minutes,
    dateDiff('second', spine.expected_from, spine.expected_until) / 60 as expected_minutes,
    toUInt16(ceil(expected_minutes / cadence_minutes)) as expected_slots,
    spine.is_partial_day as is_partial_day,
    spine.as_of as as_of
from spine
asof left join grids
    on spine.metric = grids.metric and spine.area = grids.area and spine.day >= grids.day
