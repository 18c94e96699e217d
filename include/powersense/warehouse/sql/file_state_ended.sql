-- Nothing is written where somebody has taken a later claim: theirs is the file's state then. In conditions a column is
-- named with its table: its bare name means the replacement.
INSERT INTO file_states
SELECT * REPLACE (
    {state:String} AS state,
    {version:String} AS version,
    if({state:String} = 'loaded', {version:String}, loaded_version) AS loaded_version,
    if({state:String} = 'loaded', {load_id:UInt64}, load_id) AS load_id,
    {size:UInt64} AS size,
    {modified_at:DateTime64(6, 'UTC')} AS modified_at,
    {etag:String} AS etag,
    {attempt:UInt16} AS attempts,
    {number:UInt32} AS claims,
    if({state:String} = 'loaded', {rows:UInt64}, rows) AS rows,
    {run_id:String} AS run_id,
    NULL AS claimed_until,
    if({state:String} = 'loaded', now64(6, 'UTC'), loaded_at) AS loaded_at,
    {error:String} AS error,
    greatest(now64(6, 'UTC'), updated_at + INTERVAL 1 MICROSECOND) AS updated_at
)
FROM file_states FINAL
WHERE ingestion = {ingestion:String} AND path = {path:String} AND file_states.claims <= {number:UInt32}
