-- Stored rows of each table of the databases; views have none.
SELECT
    database,
    name,
    total_rows
FROM system.tables
WHERE database IN {databases:Array(String)} AND isNotNull(total_rows)
ORDER BY database, name
