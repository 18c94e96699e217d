SELECT
    seq,
    max(is_stored) AS is_stored_by_anyone,
    any(landing_id),
    any(batch_id),
    any(row_count),
    any(metrics),
    any(areas),
    any(vintages),
    any(publishers),
    any(observed_from),
    any(observed_to),
    any(retrieved_from),
    any(retrieved_to),
    any(newest_observed_at)
FROM landings
WHERE batch_id IN {batch_ids:Array(String)}
GROUP BY seq
ORDER BY seq
