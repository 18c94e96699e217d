-- Days of landed rows before the first one to keep. The table's own TTL takes the rest after seven days.
SELECT DISTINCT table, partition_id
FROM system.parts
WHERE active
    AND database = currentDatabase()
    AND table IN {tables:Array(String)}
    AND toDate(partition) < {first_day_kept:Date}
ORDER BY table, partition_id
