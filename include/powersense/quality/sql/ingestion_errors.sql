-- One row per source with runs in the last week: failures since its last success, and when that was.
SELECT
    source,
    last_success,
    countIf(state = 'failed' AND (isNull(last_success) OR started_at > last_success)) AS failures,
    argMaxIf(error, started_at, state = 'failed') AS last_error,
    max(started_at) AS last_start,
    min(started_at) AS first_start,
    source IN {polled_sources:Array(String)} AS is_polled
FROM
(
    SELECT
        source,
        state,
        started_at,
        error,
        maxIf(toNullable(started_at), state = 'success') OVER (PARTITION BY source) AS last_success
    FROM ingestion_runs FINAL
    WHERE started_at > {now:DateTime('UTC')} - INTERVAL 7 DAY
)
GROUP BY source, last_success
ORDER BY source
