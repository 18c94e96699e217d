-- A copy of the three databases on the server's disk `backups`, table by table as it stood at its turn.
BACKUP DATABASE ${database}, DATABASE ${marts_database}, DATABASE ${files_database} ${on_cluster}
TO Disk('backups', {name:String})
ASYNC
