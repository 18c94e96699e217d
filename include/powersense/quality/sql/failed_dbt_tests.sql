-- One row per dbt test: how it last ended. Tests that the last whole run no longer has are gone from the project.
SELECT
    node_id,
    argMax(name, started_at) AS test,
    argMax(status, started_at) AS status,
    argMax(ifNull(failures, 0), started_at) AS failures,
    argMax(message, started_at) AS message,
    max(started_at) AS ran_at
FROM dbt_results FINAL
WHERE resource_type IN ('test', 'unit_test')
GROUP BY node_id
HAVING max(started_at) >= (SELECT max(started_at) FROM dbt_results WHERE is_whole_run)
ORDER BY test
