-- Ingestion runs that started within the range, the newest first.
SELECT
    r.batch_id AS batch_id,
    r.run_id AS run_id,
    r.dag_id AS dag_id,
    r.source AS source,
    toDateTime64(r.window_start, 0, 'UTC') AS window_start,
    toDateTime64(r.window_end, 0, 'UTC') AS window_end,
    toString(r.state) AS state,
    r.started_at AS started_at,
    r.finished_at AS finished_at,
    r.seconds AS seconds,
    r.records_seen AS records_seen,
    r.rows_seen AS rows_seen,
    r.rows_new AS rows_new,
    r.rows_revised AS rows_revised,
    r.rows_unchanged AS rows_unchanged,
    r.rows_quarantined AS rows_quarantined,
    r.newest_observed_at AS newest_observed_at,
    r.error AS error
FROM ingestion_runs AS r FINAL
WHERE toString(r.state) IN {states:Array(String)}
    AND r.started_at >= {start:DateTime('UTC')}
    AND r.started_at < {end:DateTime('UTC')}
    AND (empty({sources:Array(String)}) OR r.source IN {sources:Array(String)})
    AND (
        empty({after:Array(String)})
        OR (r.started_at, r.batch_id) < (
            parseDateTime64BestEffortOrZero({after:Array(String)}[1], 6, 'UTC'), {after:Array(String)}[2]
        )
    )
ORDER BY r.started_at DESC, r.batch_id DESC
LIMIT {limit:UInt64}
