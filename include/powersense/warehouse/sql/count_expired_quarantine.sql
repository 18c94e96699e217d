-- Records that no fetch has met again since `seen_since`.
SELECT count()
FROM quarantine FINAL
WHERE last_seen_at < {seen_since:DateTime('UTC')}
