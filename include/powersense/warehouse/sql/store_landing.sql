-- Number one landing against what is stored, for one group of its metrics.
-- Deterministic: whoever runs it, however often, given that every earlier landing that overlaps has been stored.
-- docs/adr/0002-versioned-writer-without-locks.md
-- A list of columns takes no parameter; the SELECT gives all but the last in the table's order.
INSERT INTO {table:Identifier} (* EXCEPT (inserted_at))
WITH
    -- One row per series key: of a key that a landing holds twice, the last retrieval, then a value rather than none.
    landed AS (
        SELECT
            metric, {place:Identifier} AS place, observed_at, vintage, publisher,
            value, source, retrieved_at, run_id, batch_id
        FROM {landing_table:Identifier}
        WHERE landing_id = {landing_id:String} AND metric IN {metrics:Array(String)}
        ORDER BY
            metric, place, observed_at, vintage, publisher, retrieved_at DESC, value DESC NULLS LAST, source, run_id
        LIMIT 1 BY metric, place, observed_at, vintage, publisher
    ),
    stored AS (
        SELECT
            metric, {place:Identifier} AS place, observed_at, vintage, publisher,
            value, version, retrieved_at, batch_id
        FROM {table:Identifier}
        WHERE metric IN {metrics:Array(String)}
            AND place IN {places:Array(String)}
            AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
            AND vintage IN {vintages:Array(String)}
            AND publisher IN {publishers:Array(String)}
        ORDER BY metric, place, observed_at, vintage, publisher, version DESC
        LIMIT 1 BY metric, place, observed_at, vintage, publisher
    ),
    -- Retrievals that landed before this one though upstream gave them later: they may have confirmed a value without
    -- making a version. Empty unless landings came out of order.
    overtaking AS (
        SELECT
            metric, {place:Identifier} AS place, observed_at, vintage, publisher,
            max((retrieved_at, batch_id)) AS retrieval
        FROM {landing_table:Identifier}
        WHERE landing_id IN {later_retrievals:Array(String)}
            AND metric IN {metrics:Array(String)}
            AND place IN {places:Array(String)}
            AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
        GROUP BY metric, place, observed_at, vintage, publisher
    )
SELECT
    landed.metric,
    landed.place,
    landed.observed_at,
    landed.vintage,
    landed.publisher,
    stored.version + 1,
    landed.value,
    landed.source,
    landed.retrieved_at,
    landed.run_id,
    landed.batch_id
FROM landed
LEFT JOIN stored USING (metric, place, observed_at, vintage, publisher)
LEFT JOIN overtaking USING (metric, place, observed_at, vintage, publisher)
WHERE landed.value IS DISTINCT FROM stored.value
    AND (landed.retrieved_at, landed.batch_id) > (stored.retrieved_at, stored.batch_id)
    AND (landed.retrieved_at, landed.batch_id) > overtaking.retrieval
-- A key without a stored row joins as version 0, NULL, 1970: a first NULL is not distinct from it, and is not stored.
SETTINGS join_use_nulls = 0, optimize_on_insert = 0
