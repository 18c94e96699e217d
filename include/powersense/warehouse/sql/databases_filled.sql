-- Those of the databases that exist, and how many tables and views each holds.
SELECT
    databases.name,
    countIf(notEmpty(tables.name)) AS table_count
FROM system.databases AS databases
LEFT JOIN system.tables AS tables ON tables.database = databases.name
WHERE databases.name IN {databases:Array(String)}
GROUP BY databases.name
ORDER BY databases.name
