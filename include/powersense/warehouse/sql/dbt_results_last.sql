-- The last outcome of every node of the newest whole dbt run. Nodes that were run again by themselves later count over
-- that run; nodes that it no longer had do not.
SELECT
    node_id,
    argMax(
        tuple(resource_type, name, tested_node, status, failures, message, started_at),
        tuple(started_at, recorded_at)
    ) AS last
FROM {database:Identifier}.dbt_results
WHERE started_at >= (SELECT max(started_at) FROM {database:Identifier}.dbt_results WHERE is_whole_run)
GROUP BY node_id
ORDER BY node_id
