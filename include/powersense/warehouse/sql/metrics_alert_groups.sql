-- One row per severity and state with groups of alerts that are not closed: how many, and the age of the oldest.
SELECT
    severity,
    state,
    count() AS alert_groups,
    greatest(0, dateDiff('second', min(opened_at), now64(6, 'UTC'))) AS oldest_seconds
FROM alert_groups(at = {at:DateTime64(6, 'UTC')})
WHERE state != 'closed'
GROUP BY severity, state
ORDER BY severity, state
