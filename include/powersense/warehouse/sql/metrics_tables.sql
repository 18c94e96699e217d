-- One row per table of the warehouse: rows and bytes as stored, replaced ones included until a merge drops them.
SELECT
    name AS table,
    total_rows AS row_count,
    total_bytes AS size_bytes
FROM system.tables
WHERE database = currentDatabase()
    AND isNotNull(total_rows)
ORDER BY name
