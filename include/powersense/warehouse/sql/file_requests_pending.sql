SELECT
    request_id,
    ingestion,
    is_dry_run,
    requested_by,
    requested_at
FROM file_run_requests FINAL
WHERE run_id = '' AND requested_at > now64(6, 'UTC') - INTERVAL 1 DAY
ORDER BY requested_at
