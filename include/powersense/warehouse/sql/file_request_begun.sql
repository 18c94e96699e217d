INSERT INTO file_run_requests
    (request_id, ingestion, is_dry_run, requested_by, requested_at, run_id, updated_at)
SELECT
    request_id,
    ingestion,
    is_dry_run,
    requested_by,
    requested_at,
    {run_id:String},
    greatest(now64(6, 'UTC'), updated_at + INTERVAL 1 MICROSECOND)
FROM file_run_requests FINAL
WHERE request_id = {request_id:String}
