-- What is recorded about the notices of some alerts; the server's clock comes with it, so that claims age by one clock.
SELECT
    alert_id,
    event,
    severity,
    target,
    attempt,
    outcome,
    claimant,
    recorded_at
FROM alert_notices
WHERE alert_id IN {alert_ids:Array(String)}
ORDER BY recorded_at
