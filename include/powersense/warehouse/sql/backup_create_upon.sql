-- The same, holding only what the earlier backup has not; it cannot be restored without that one.
BACKUP DATABASE ${database}, DATABASE ${marts_database}, DATABASE ${files_database} ${on_cluster}
TO Disk('backups', {name:String})
SETTINGS base_backup = Disk('backups', {earlier:String})
ASYNC
