INSERT INTO ingestion_runs
    (batch_id, run_id, dag_id, source, window_start, window_end, started_at, state, finished_at, seconds,
     records_seen, rows_seen, rows_new, rows_revised, rows_unchanged, rows_quarantined, newest_observed_at, error)
SELECT
    batch_id,
    run_id,
    dag_id,
    source,
    window_start,
    window_end,
    started_at,
    {state:String},
    {finished_at:DateTime64(6, 'UTC')} AS ended_at,
    dateDiff('microsecond', started_at, ended_at) / 1e6,
    {records_seen:UInt64},
    {rows_seen:UInt64},
    {rows_new:UInt64},
    {rows_revised:UInt64},
    {rows_unchanged:UInt64},
    {rows_quarantined:UInt64},
    {newest_observed_at:Nullable(DateTime('UTC'))},
    {error:String}
FROM ingestion_runs FINAL
WHERE batch_id = {batch_id:String}
