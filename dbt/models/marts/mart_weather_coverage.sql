with calendar as (
    select * from {{ ref('stg_powersense__calendar_days') }}
),

weather as (
    select * from {{ ref('mart_weather_hourly') }}
),

clock as (
    select
        {{ as_of() }} as as_of,
        toDateTime(as_of - toIntervalHour({{ var('weather_delay_hours') }}), 'UTC') as due_until
),

started as (
    select
        area,
        toNullable(min(day)) as first_day,
        min(observed_at) as first_observed_at
    from weather
    group by area
),

known as (
    select
        weather.area as area,
        weather.day as day,
        countIf(weather.temperature_c is not null and weather.observed_at < clock.due_until) as known_hours,
        max(weather.stations) as stations,
        toNullable(max(weather.observed_at)) as last_observed_at
    from weather
    cross join clock
    group by area, day
),

-- An area without any weather has one row, of today.
spine as (
    select
        calendar.day as day,
        areas.area as area,
        started.first_day is not null as is_set_up,
        greatest(calendar.day_start_utc, started.first_observed_at) as expected_from,
        least(calendar.day_end_utc, clock.due_until) as expected_until,
        clock.as_of as as_of
    from {{ ref('areas') }} as areas
    cross join clock
    cross join calendar
    left join started on areas.area = started.area
    where
        calendar.day_start_utc <= clock.as_of
        and calendar.day >= coalesce(started.first_day, {{ paris_day('clock.as_of') }})
),

covered as (
    select
        spine.day as day,
        spine.area as area,
        toUInt8(if(
            spine.is_set_up, ceil(greatest(0, dateDiff('minute', spine.expected_from, spine.expected_until)) / 60), 0
        )) as expected_hours,
        toUInt8(known.known_hours) as known_hours,
        if(expected_hours > 0, known_hours / expected_hours, null) as coverage_ratio,
        known.stations as stations,
        known.last_observed_at as last_observed_at,
        multiIf(
            not spine.is_set_up, 'not_set_up',
            expected_hours = 0, 'not_due',
            known_hours >= expected_hours, 'complete',
            known_hours = 0, 'missing',
            'partial'
        ) as state,
        spine.as_of as as_of
    from spine
    left join known on spine.area = known.area and spine.day = known.day
)

select * from covered
