-- The landing itself, with the number of its rows that are left, and the ones before it.
-- Older landings have lost their rows to the retention of measurements_landing, so they can neither be stored nor overtake.
SELECT
    seq,
    max(is_stored) AS is_stored_by_anyone,
    any(landing_id),
    any(batch_id),
    if(
        seq = {seq:UInt64},
        (SELECT count() FROM {landing_table:Identifier} WHERE landing_id = {landing_id:String}),
        any(row_count)
    ),
    any(metrics),
    any({places_column:Identifier}),
    any(vintages),
    any(publishers),
    any(observed_from),
    any(observed_to),
    any(retrieved_from) AS first_retrieval,
    any(retrieved_to) AS last_retrieval,
    any(newest_observed_at)
FROM {log_table:Identifier}
WHERE seq = {seq:UInt64}
    OR seq < {seq:UInt64}
    AND landed_at > now() - INTERVAL 8 DAY
    AND row_count > 0
    AND observed_from <= {observed_to:DateTime('UTC')}
    AND observed_to >= {observed_from:DateTime('UTC')}
GROUP BY seq
HAVING seq = {seq:UInt64} OR NOT is_stored_by_anyone OR last_retrieval >= {retrieved_from:DateTime64(3, 'UTC')}
ORDER BY seq
