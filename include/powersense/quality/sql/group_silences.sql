-- Silences that lay over an alert of a group while it was open, and from when on.
SELECT
    s.silence_id AS silence_id,
    any(s.author) AS author,
    any(s.reason) AS reason,
    min(greatest(s.starts_at, a.opened_at)) AS began_at
FROM alert_silences AS s FINAL
CROSS JOIN (SELECT * FROM alerts FINAL WHERE group_id = {group_id:String}) AS a
WHERE (empty(s.rules) OR has(s.rules, a.rule))
    AND (empty(s.areas) OR has(s.areas, a.area))
    AND s.starts_at < least(s.ends_at, ifNull(a.closed_at, now64(6, 'UTC')))
    AND s.ends_at > a.opened_at
GROUP BY s.silence_id
ORDER BY began_at
