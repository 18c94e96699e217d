with alert_groups as (
    select * from {{ ref('stg_powersense__alert_groups') }}
),

timed as (
    select
        group_id,
        rule,
        severity,
        state,
        areas,
        alerts,
        open_alerts,
        subject,
        opened_at,
        toTimeZone(opened_at, 'Europe/Paris') as opened_at_paris,
        last_seen_at,
        closed_at,
        acknowledged_at,
        acknowledged_by,
        silenced_until,
        if(
            isNull(acknowledged_at), null, greatest(dateDiff('minute', opened_at, acknowledged_at), 0)
        ) as minutes_to_acknowledge,
        dateDiff('minute', opened_at, coalesce(closed_at, last_seen_at)) as minutes_open
    from alert_groups
)

select * from timed
