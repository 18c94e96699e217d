-- What people did about a group.
SELECT
    toString(t.action) AS action,
    t.author AS author,
    t.comment AS comment,
    t.acted_at AS acted_at
FROM alert_actions AS t
WHERE t.group_id = {group_id:String}
ORDER BY t.acted_at, t.action_id
