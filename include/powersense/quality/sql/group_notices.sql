-- What became of the notices about a group.
SELECT
    toString(n.event) AS event,
    toString(n.severity) AS severity,
    n.occasion AS occasion,
    n.attempt AS attempt,
    n.target AS target,
    toString(n.outcome) AS outcome,
    n.recorded_at AS recorded_at
FROM alert_notices AS n
WHERE n.alert_id = {group_id:String} AND n.outcome != 'claimed'
ORDER BY n.recorded_at
