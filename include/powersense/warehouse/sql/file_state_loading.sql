-- In conditions a column is named with its table: its bare name means the replacement.
INSERT INTO file_states
SELECT * REPLACE (
    'loading' AS state,
    attempts + 1 AS attempts,
    {number:UInt32} AS claims,
    {run_id:String} AS run_id,
    {claimed_until:DateTime64(6, 'UTC')} AS claimed_until,
    greatest(now64(6, 'UTC'), updated_at + INTERVAL 1 MICROSECOND) AS updated_at
)
FROM file_states FINAL
WHERE ingestion = {ingestion:String} AND path = {path:String} AND file_states.claims < {number:UInt32}
