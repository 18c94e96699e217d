-- One row per enabled ingestion with finished runs: failed ones since the last that was not. Dry runs load nothing.
SELECT
    runs.ingestion AS ingestion,
    countIf(runs.state = 'failed' AND (isNull(runs.last_success) OR runs.started_at > runs.last_success)) AS failures,
    any(runs.last_success) AS last_success,
    argMaxIf(runs.run_id, runs.started_at, runs.state = 'failed') AS run_id,
    argMaxIf(runs.error, runs.started_at, runs.state = 'failed') AS error
FROM
(
    SELECT
        ingestion,
        run_id,
        state,
        started_at,
        error,
        maxIf(toNullable(started_at), state != 'failed') OVER (PARTITION BY ingestion) AS last_success
    FROM file_runs FINAL
    WHERE state != 'running'
        AND NOT is_dry_run
        AND started_at > {now:DateTime('UTC')} - INTERVAL 30 DAY
        AND started_at <= {now:DateTime('UTC')}
        AND ingestion IN
        (
            SELECT ingestion
            FROM file_ingestions FINAL
            WHERE is_enabled AND NOT is_deleted
        )
) AS runs
GROUP BY runs.ingestion
ORDER BY ingestion
