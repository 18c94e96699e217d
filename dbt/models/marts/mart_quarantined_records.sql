with quarantined_records as (
    select * from {{ ref('stg_powersense__quarantined_records') }}
),

counted as (
    select
        source_id,
        reason,
        {{ paris_day('first_seen_at') }} as first_seen_day,
        count() as records,
        uniqExact(area) as areas,
        min(observed_at) as oldest_observed_at,
        max(observed_at) as newest_observed_at,
        any(detail) as example_detail
    from quarantined_records
    group by source_id, reason, first_seen_day
)

select * from counted
