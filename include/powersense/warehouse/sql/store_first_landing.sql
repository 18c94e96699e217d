-- `store_landing` where nothing is stored in the landing's range: every value is a first version. For bulk loads.
-- A list of columns takes no parameter; the SELECT gives all but the last in the table's order.
INSERT INTO {table:Identifier} (* EXCEPT (inserted_at))
SELECT metric, place, observed_at, vintage, publisher, 1, value, source, retrieved_at, run_id, batch_id
FROM
(
    SELECT
        metric, {place:Identifier} AS place, observed_at, vintage, publisher,
        value, source, retrieved_at, run_id, batch_id
    FROM {landing_table:Identifier}
    WHERE landing_id = {landing_id:String} AND metric IN {metrics:Array(String)}
    ORDER BY metric, place, observed_at, vintage, publisher, retrieved_at DESC, value DESC NULLS LAST, source, run_id
    LIMIT 1 BY metric, place, observed_at, vintage, publisher
)
WHERE isNotNull(value)
-- The rows are sorted and their keys distinct already. A second thread is no faster here, and costs the summing up of
-- series_instants half as much again.
SETTINGS optimize_on_insert = 0, max_threads = 1
