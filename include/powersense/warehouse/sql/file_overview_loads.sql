-- Attempts at files of an ingestion, the newest first, before a position: of a run, at a path, or with an outcome.
SELECT
    path,
    version,
    attempt,
    run_id,
    toString(outcome) AS outcome,
    reader,
    rows,
    rows_changed,
    rows_quarantined,
    bytes,
    seconds,
    error,
    first_bad_line,
    schema_changes,
    started_at,
    finished_at
FROM file_loads
WHERE ingestion = {ingestion:String}
    AND ({run_id:String} = '' OR run_id = {run_id:String})
    AND ({path:String} = '' OR path = {path:String})
    AND ({outcome:String} = '' OR outcome = {outcome:String})
    AND finished_at <= {before:DateTime64(6, 'UTC')}
    AND (finished_at, path, attempt) < ({before:DateTime64(6, 'UTC')}, {before_path:String}, {before_attempt:UInt16})
ORDER BY finished_at DESC, path DESC, attempt DESC
LIMIT {limit:UInt32}
