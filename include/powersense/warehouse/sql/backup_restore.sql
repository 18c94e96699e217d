-- Under the databases' own names, or aside under others to look at what a backup holds.
RESTORE DATABASE ${database} AS ${database}${suffix},
    DATABASE ${marts_database} AS ${marts_database}${suffix},
    DATABASE ${files_database} AS ${files_database}${suffix} ${on_cluster}
FROM Disk('backups', {name:String})
ASYNC
