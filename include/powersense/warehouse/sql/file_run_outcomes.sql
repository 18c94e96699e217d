WITH
    planned AS (
        SELECT path, version, compared_at
        FROM file_candidates
        WHERE ingestion = {ingestion:String} AND comparison_id = {comparison_id:String} AND batch > 0
    ),
    tried AS (
        SELECT
            path,
            -- A text, since a file that nobody tried would else have the first of the outcomes.
            toString(argMax(outcome, finished_at)) AS last_outcome,
            argMax(rows, finished_at) AS last_rows,
            sum(rows_changed) AS all_changed,
            argMax(rows_quarantined, finished_at) AS last_quarantined,
            sum(bytes) AS all_bytes,
            argMax(error, finished_at) AS last_error,
            max(finished_at) AS ended_at
        FROM file_loads
        WHERE
            ingestion = {ingestion:String}
            AND run_id = {run_id:String}
            AND finished_at >= (SELECT min(compared_at) FROM planned)
        GROUP BY path
    ),
    known AS (
        SELECT path, version, run_id, updated_at
        FROM file_states FINAL
        WHERE ingestion = {ingestion:String} AND path IN (SELECT path FROM planned)
    )
SELECT
    countIf(last_outcome = 'loaded') AS files_loaded,
    countIf(last_outcome = 'failed') AS files_failed,
    countIf(last_outcome = 'quarantined') AS files_quarantined,
    countIf(last_outcome = 'skipped') AS files_skipped,
    -- Nobody has tried these: neither this run, nor another one since the comparison.
    countIf(
        last_outcome = ''
        AND NOT (known.updated_at > planned.compared_at AND known.run_id != {run_id:String})
    ) AS files_untried,
    sumIf(last_rows, last_outcome = 'loaded') AS rows_loaded,
    sum(all_changed) AS rows_changed,
    sumIf(last_quarantined, last_outcome = 'loaded') AS rows_quarantined,
    sum(all_bytes) AS bytes_read,
    argMinIf(
        concat(planned.path, ': ', last_error), ended_at, last_outcome IN ('failed', 'quarantined')
    ) AS error
FROM planned
LEFT JOIN tried ON planned.path = tried.path
LEFT JOIN known ON planned.path = known.path
