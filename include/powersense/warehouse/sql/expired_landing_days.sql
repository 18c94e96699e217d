-- Days of landed rows before the first one to keep. The table's own TTL takes the rest after seven days.
SELECT DISTINCT partition_id
FROM system.parts
WHERE active
    AND database = currentDatabase()
    AND table = 'measurements_landing'
    AND toDate(partition) < {first_day_kept:Date}
ORDER BY partition_id
