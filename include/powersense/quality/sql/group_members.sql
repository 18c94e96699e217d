-- The alerts of a group, the oldest first.
SELECT
    a.subject AS subject,
    a.opened_at AS opened_at,
    a.closed_at AS closed_at
FROM alerts AS a FINAL
WHERE a.group_id = {group_id:String}
ORDER BY a.opened_at, a.fingerprint
LIMIT 1000
