with source as (
    select * from {{ source('powersense', 'alerts') }} final
)

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
    state,
    opened_at,
    last_seen_at,
    closed_at,
    occurrences
from source
