-- In conditions a column is named with its table: its bare name means the replacement.
INSERT INTO file_states
SELECT * REPLACE (
    'failed' AS state,
    NULL AS claimed_until,
    {error:String} AS error,
    greatest(now64(6, 'UTC'), updated_at + INTERVAL 1 MICROSECOND) AS updated_at
)
FROM file_states FINAL
WHERE ingestion = {ingestion:String} AND file_states.run_id = {run_id:String} AND file_states.state = 'loading'
