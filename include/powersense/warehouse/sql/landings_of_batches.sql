SELECT
    seq,
    max(is_stored) AS is_stored_by_anyone,
    any(landing_id),
    any(batch_id),
    any(row_count),
    any(metrics),
    any({places_column:Identifier}),
    any(vintages),
    any(publishers),
    any(observed_from),
    any(observed_to),
    any(retrieved_from),
    any(retrieved_to),
    any(newest_observed_at)
FROM {log_table:Identifier}
WHERE batch_id IN {batch_ids:Array(String)}
GROUP BY seq
ORDER BY seq
