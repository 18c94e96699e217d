INSERT INTO file_loads
    (ingestion, path, version, load_id, attempt, run_id, outcome, reader, rows, rows_changed, rows_quarantined, bytes,
     seconds, error, first_bad_line, schema_changes, started_at)
SELECT
    ingestion,
    path,
    version,
    0,
    attempts,
    run_id,
    'failed',
    '',
    0,
    0,
    0,
    0,
    dateDiff('microsecond', updated_at, now64(6, 'UTC')) / 1e6,
    {error:String},
    '',
    [],
    updated_at
FROM file_states FINAL
WHERE ingestion = {ingestion:String} AND run_id = {run_id:String} AND state = 'loading'
