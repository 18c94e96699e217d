-- Files of an ingestion in the order of their paths, after a path: those in a state, or whose path holds a text.
SELECT
    path,
    toString(state) AS state,
    version,
    loaded_version,
    size,
    modified_at,
    attempts,
    rows,
    run_id,
    claimed_until,
    first_seen_at,
    loaded_at,
    error
FROM file_states FINAL
WHERE ingestion = {ingestion:String} AND path > {after:String}
    AND ({state:String} = '' OR state = {state:String})
    AND ({containing:String} = '' OR positionCaseInsensitiveUTF8(path, {containing:String}) > 0)
ORDER BY path
LIMIT {limit:UInt32}
