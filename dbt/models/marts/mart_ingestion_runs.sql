with ingestion_runs as (
    select * from {{ ref('stg_powersense__ingestion_runs') }}
),

daily as (
    select
        {{ paris_day('started_at') }} as day,
        source_id,
        count() as runs,
        countIf(state = 'failed') as failed_runs,
        sum(rows_seen) as rows_seen,
        sum(rows_new) as rows_new,
        sum(rows_revised) as rows_revised,
        sum(rows_quarantined) as rows_quarantined,
        median(seconds) as duration_p50_seconds,
        max(seconds) as duration_max_seconds,
        max(newest_observed_at) as newest_observed_at
    from ingestion_runs
    group by day, source_id
)

select * from daily
