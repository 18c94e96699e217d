-- One row per DAG with runs that reached their end within 30 days: when the newest did, and how long ago by the server.
SELECT
    dag_id,
    max(finished_at) AS newest_at,
    greatest(0, dateDiff('microsecond', newest_at, now64(6, 'UTC')) / 1000000) AS age_seconds
FROM finished_runs
GROUP BY dag_id
ORDER BY dag_id
