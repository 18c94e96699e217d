-- Where a backup or a restoring stands, and what it stored itself; the server remembers it until it stops.
SELECT
    status,
    error,
    num_entries,
    uncompressed_size
FROM system.backups
WHERE id = {id:String}
