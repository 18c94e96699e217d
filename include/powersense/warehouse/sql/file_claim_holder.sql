SELECT
    claimant,
    claimed_until > now64(6, 'UTC') AS is_alive
FROM file_claims
WHERE ingestion = {ingestion:String} AND path = {path:String} AND number = {number:UInt32}
ORDER BY claimed_at
LIMIT 1
