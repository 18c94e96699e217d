-- Runs of ingestions, the newest first, before a position; or those that are named. A run that a person asked for and
-- that has not begun stands as `requested`; after a day without a start it has `lapsed`.
WITH
    begun AS
    (
        SELECT
            ingestion,
            run_id,
            toString(state) AS state,
            is_dry_run,
            is_full_listing,
            scheduled_for,
            started_at,
            finished_at,
            seconds,
            files_listed,
            files_new,
            files_changed,
            files_retried,
            files_waiting,
            files_loaded,
            files_failed,
            files_quarantined,
            files_skipped,
            rows_loaded,
            rows_changed,
            rows_quarantined,
            bytes_read,
            error
        FROM file_runs FINAL
        WHERE ingestion IN {ingestions:Array(String)}
            AND (empty({run_ids:Array(String)}) OR run_id IN {run_ids:Array(String)})
    ),
    requested AS
    (
        SELECT
            ingestion,
            concat('requested__', request_id) AS run_id,
            is_dry_run,
            requested_by,
            requested_at
        FROM file_run_requests FINAL
        WHERE ingestion IN {ingestions:Array(String)}
            AND (empty({run_ids:Array(String)}) OR concat('requested__', request_id) IN {run_ids:Array(String)})
    ),
    listed AS
    (
        SELECT
            begun.*,
            requested.requested_by AS requested_by
        FROM begun
        LEFT JOIN requested ON begun.ingestion = requested.ingestion AND begun.run_id = requested.run_id
        UNION ALL
        SELECT
            ingestion,
            run_id,
            if(requested_at > now64(6, 'UTC') - INTERVAL 1 DAY, 'requested', 'lapsed') AS state,
            is_dry_run,
            false AS is_full_listing,
            NULL AS scheduled_for,
            requested_at AS started_at,
            NULL AS finished_at,
            NULL AS seconds,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            '' AS error,
            requested_by
        FROM requested
        WHERE (ingestion, run_id) NOT IN (SELECT ingestion, run_id FROM begun)
    )

SELECT *
FROM listed
WHERE (started_at, run_id) < ({before:DateTime64(6, 'UTC')}, {before_run:String})
ORDER BY started_at DESC, run_id DESC
LIMIT {limit:UInt32}
