-- One row per source with runs in the last week: age of its last success, and what the last day's runs came to. The newest
-- record of each run is taken here, since FINAL would merge all runs there ever were.
WITH latest AS
(
    SELECT
        argMax(source, recorded_at) AS source,
        argMax(state, recorded_at) AS state,
        max(started_at) AS begun_at,
        argMax(rows_new, recorded_at) AS new_rows,
        argMax(rows_revised, recorded_at) AS revised_rows,
        argMax(rows_unchanged, recorded_at) AS unchanged_rows,
        argMax(rows_quarantined, recorded_at) AS quarantined_rows
    FROM ingestion_runs
    WHERE started_at > now('UTC') - INTERVAL 7 DAY
    GROUP BY batch_id
)

SELECT
    source,
    if(
        countIf(state = 'success') = 0,
        NULL,
        greatest(0, dateDiff('second', maxIf(begun_at, state = 'success'), now64(6, 'UTC')))
    ) AS success_age_seconds,
    countIf(state = 'success' AND begun_at > now('UTC') - INTERVAL 1 DAY) AS succeeded,
    countIf(state = 'failed' AND begun_at > now('UTC') - INTERVAL 1 DAY) AS failed,
    sumIf(new_rows, begun_at > now('UTC') - INTERVAL 1 DAY) AS rows_new,
    sumIf(revised_rows, begun_at > now('UTC') - INTERVAL 1 DAY) AS rows_revised,
    sumIf(unchanged_rows, begun_at > now('UTC') - INTERVAL 1 DAY) AS rows_unchanged,
    sumIf(quarantined_rows, begun_at > now('UTC') - INTERVAL 1 DAY) AS rows_quarantined
FROM latest
GROUP BY source
ORDER BY source
