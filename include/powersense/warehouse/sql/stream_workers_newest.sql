-- The newest heartbeat of each worker that beat since then, the latest first.
SELECT
    worker_id,
    beat_at,
    toString(state) AS state,
    model_id,
    messages,
    anomalies,
    dead_letters,
    batch_p50_ms,
    batch_p99_ms,
    lag,
    partitions,
    version
FROM stream_workers
WHERE beat_at > {since:DateTime64(3, 'UTC')}
ORDER BY worker_id, beat_at DESC
LIMIT 1 BY worker_id
