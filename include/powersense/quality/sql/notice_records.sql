-- What is recorded about the notices of some groups; the server's clock comes with it, so that claims age by one clock.
SELECT
    alert_id,
    event,
    severity,
    target,
    attempt,
    outcome,
    claimant,
    recorded_at,
    alert_ids,
    occasion
FROM alert_notices
WHERE alert_id IN {group_ids:Array(String)}
ORDER BY recorded_at
