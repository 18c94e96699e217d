-- Partitions with many active parts.
SELECT
    table,
    partition_id,
    count() AS parts
FROM system.parts
WHERE active
    AND database = currentDatabase()
    AND table IN {tables:Array(String)}
GROUP BY table, partition_id
HAVING parts >= {least_parts:UInt32}
ORDER BY table, partition_id
