-- Those of the given loads that readers see.
SELECT load_id
FROM file_activations FINAL
WHERE target = {target:String}
    AND load_id IN {load_ids:Array(UInt64)}
