-- `store_landing` where nothing is stored in the landing's range: every value is a first version. For bulk loads.
INSERT INTO measurements
    (metric, area, observed_at, vintage, publisher, version, value, source, retrieved_at, run_id, batch_id)
SELECT metric, area, observed_at, vintage, publisher, 1, value, source, retrieved_at, run_id, batch_id
FROM
(
    SELECT metric, area, observed_at, vintage, publisher, value, source, retrieved_at, run_id, batch_id
    FROM measurements_landing
    WHERE landing_id = {landing_id:String} AND metric IN {metrics:Array(String)}
    ORDER BY metric, area, observed_at, vintage, publisher, retrieved_at DESC, value DESC NULLS LAST, source, run_id
    LIMIT 1 BY metric, area, observed_at, vintage, publisher
)
WHERE isNotNull(value)
-- The rows are sorted and their keys distinct already.
SETTINGS optimize_on_insert = 0
