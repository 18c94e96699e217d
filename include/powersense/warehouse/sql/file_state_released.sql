-- In conditions a column is named with its table: its bare name means the replacement.
INSERT INTO file_states
SELECT * REPLACE (
    'new' AS state,
    0 AS attempts,
    greatest(now64(6, 'UTC'), updated_at + INTERVAL 1 MICROSECOND) AS updated_at
)
FROM file_states FINAL
WHERE ingestion = {ingestion:String} AND path = {path:String} AND file_states.state IN ('quarantined', 'failed')
