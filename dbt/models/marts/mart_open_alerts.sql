with alerts as (
    select * from {{ ref('stg_powersense__alerts') }}
),

open_alerts as (
    select
        alert_id,
        group_id,
        fingerprint,
        rule,
        severity,
        area,
        subject,
        message,
        runbook,
        opened_at,
        last_seen_at,
        dateDiff('minute', opened_at, last_seen_at) as open_minutes,
        occurrences
    from alerts
    where state = 'open'
)

select * from open_alerts
