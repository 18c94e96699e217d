SELECT batch_id, countIf(version = 1), countIf(version > 1)
FROM {table:Identifier} FINAL
WHERE metric IN {metrics:Array(String)}
    AND {place:Identifier} IN {places:Array(String)}
    AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
    AND batch_id IN {batch_ids:Array(String)}
GROUP BY batch_id
-- A key lies in one partition, so partitions need no merging with each other.
SETTINGS do_not_merge_across_partitions_select_final = 1
