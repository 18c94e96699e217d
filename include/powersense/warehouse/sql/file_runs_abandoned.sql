-- In conditions a column is named with its table: its bare name means the replacement.
INSERT INTO file_runs
SELECT * REPLACE (
    'failed' AS state,
    now64(6, 'UTC') AS finished_at,
    {error:String} AS error,
    greatest(now64(6, 'UTC'), updated_at + INTERVAL 1 MICROSECOND) AS updated_at
)
FROM file_runs FINAL
WHERE
    ingestion = {ingestion:String}
    AND file_runs.state = 'running'
    AND file_runs.started_at <= {alive_since:DateTime64(6, 'UTC')}
