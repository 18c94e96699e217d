DELETE FROM {database:Identifier}.{table:Identifier}
WHERE _load_id IN {load_ids:Array(UInt64)}
