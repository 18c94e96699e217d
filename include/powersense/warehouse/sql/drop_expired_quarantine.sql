-- By key, since a record seen again lies in several parts until they merge: an old part alone says nothing.
DELETE FROM quarantine
WHERE (source, reason, record_hash) IN
(
    SELECT source, reason, record_hash
    FROM quarantine FINAL
    WHERE last_seen_at < {seen_since:DateTime('UTC')}
)
