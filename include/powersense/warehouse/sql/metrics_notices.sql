-- One row per target and outcome: notices of the last day.
SELECT
    target,
    outcome,
    count() AS notices
FROM alert_notices
WHERE recorded_at > now64(6, 'UTC') - INTERVAL 1 DAY
    AND outcome != 'claimed'
GROUP BY target, outcome
ORDER BY target, outcome
