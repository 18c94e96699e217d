-- One row per worker of the stream that beat within a day and did not stop since: what its newest heartbeat says.
SELECT
    worker_id AS worker,
    max(beat_at) AS newest_beat_at,
    greatest(0, dateDiff('millisecond', newest_beat_at, now64(3, 'UTC')) / 1000) AS beat_age_seconds,
    argMax(lag, beat_at) AS lag_messages,
    argMax(state, beat_at) = 'running' AS is_running,
    argMax(batch_p99_ms, beat_at) / 1000 AS batch_p99_seconds
FROM stream_workers
WHERE beat_at > now64(3, 'UTC') - INTERVAL 1 DAY
GROUP BY worker_id
HAVING argMax(state, beat_at) != 'stopped'
ORDER BY worker
