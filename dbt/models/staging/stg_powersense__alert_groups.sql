with source as (
    select * from {{ source('powersense', 'alert_groups') }}(at = now64(6, 'UTC'))
)

select
    group_id,
    rule,
    severity,
    state,
    areas,
    alerts,
    open_alerts,
    subject,
    message,
    runbook,
    opened_at,
    last_seen_at,
    closed_at,
    acknowledged_at,
    acknowledged_by,
    silenced_until
from source
