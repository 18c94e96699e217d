-- Tables of loaded files: the view of the same name without `__loads` shows their active loads.
SELECT name
FROM system.tables
WHERE database = {database:String}
    AND endsWith(name, '__loads')
ORDER BY name
