with expected as (
    select * from {{ ref('int_series_days_expected') }}
    where expected_slots > 0
),

counted as (
    select
        *,
        toNullable(last_observed_at) as newest_observed_at
    from {{ ref('int_series_days_counted') }}
),

covered as (
    select
        expected.day as day,
        expected.area as area,
        expected.metric as metric,
        expected.cadence_minutes as cadence_minutes,
        expected.hours_in_day as hours_in_day,
        expected.expected_slots as expected_slots,
        toUInt16(coalesce(multiIf(
            expected.cadence_minutes = 15, counted.quarter_hour_slots,
            expected.cadence_minutes = 30, counted.half_hour_slots,
            counted.hour_slots
        ), 0)) as received_slots,
        toInt32(expected_slots) - toInt32(received_slots) as missing_slots,
        received_slots / expected_slots as coverage_ratio,
        expected.is_partial_day as is_partial_day,
        counted.newest_observed_at as last_observed_at,
        expected.as_of as as_of
    from expected
    left join counted
        on expected.metric = counted.metric and expected.area = counted.area and expected.day = counted.day
)

select * from covered
