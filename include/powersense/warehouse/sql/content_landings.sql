-- The landings of one file's contents, in their order; more than one per content where it was loaded again.
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
    any(retrieved_to)
FROM {log_table:Identifier}
WHERE startsWith(batch_id, {prefix:String})
GROUP BY seq
ORDER BY seq
