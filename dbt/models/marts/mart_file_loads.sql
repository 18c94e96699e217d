with loads as (
    select * from {{ ref('stg_powersense__file_loads') }}
),

daily as (
    select
        {{ paris_day('finished_at') }} as day,
        ingestion,
        count() as attempts,
        uniqExact(path) as files,
        countIf(outcome = 'loaded') as loaded,
        countIf(outcome = 'failed') as failed,
        countIf(outcome = 'quarantined') as quarantined,
        countIf(outcome = 'skipped') as skipped,
        sumIf(rows_loaded, outcome = 'loaded') as rows_loaded,
        sum(rows_quarantined) as rows_quarantined,
        sum(bytes_read) as bytes_read,
        countIf(reader = 'engine') as read_by_engine,
        sum(seconds) as seconds_total,
        median(seconds) as seconds_p50,
        max(seconds) as seconds_max,
        countIf(notEmpty(schema_changes)) as with_schema_changes,
        argMaxIf(error, finished_at, notEmpty(error)) as last_error
    from loads
    group by day, ingestion
)

select * from daily
