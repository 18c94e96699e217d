SELECT
    ingestion,
    max(scheduled_for) AS last_tick,
    countIf(state = 'running' AND started_at > {alive_since:DateTime64(6, 'UTC')}) > 0 AS is_running,
    maxIf(started_at, is_full_listing AND NOT is_dry_run AND state IN ('success', 'partial')) AS last_full_listing
FROM file_runs FINAL
GROUP BY ingestion
