-- What a run found to be done, by path, after a path. `waiting` is left to the next run.
SELECT
    path,
    toString(reason) AS reason,
    size,
    modified_at
FROM file_candidates
WHERE ingestion = {ingestion:String}
    AND comparison_id IN
    (
        SELECT comparison_id
        FROM file_runs FINAL
        WHERE ingestion = {ingestion:String} AND run_id = {run_id:String}
    )
    AND path > {after:String}
ORDER BY path
LIMIT {limit:UInt32}
