-- Trained forecast models, with the last decision about each; artefacts' addresses stay inside.
WITH decisions AS (
    SELECT
        d.area AS area,
        d.model_id AS model_id,
        toString(argMax(d.action, (d.decided_at, d.inserted_at))) AS last_action,
        max(d.decided_at) AS last_decided_at
    FROM model_decisions AS d FINAL
    WHERE d.area IN {areas:Array(String)}
    GROUP BY d.area, d.model_id
)

SELECT
    m.area AS area,
    m.model_id AS model_id,
    m.model AS model,
    toDateTime64(m.trained_at, 0, 'UTC') AS trained_at,
    toDateTime64(m.train_from, 0, 'UTC') AS train_from,
    toDateTime64(m.data_until, 0, 'UTC') AS data_until,
    toString(m.vintage) AS vintage,
    m.uses_weather AS uses_weather,
    m.metrics AS metrics,
    m.code_version AS code_version,
    decisions.last_action AS last_action,
    if(decisions.last_action = '', NULL, toDateTime64(decisions.last_decided_at, 0, 'UTC')) AS last_decided_at,
    m.run_id AS run_id
FROM models AS m FINAL
LEFT JOIN decisions ON decisions.area = m.area AND decisions.model_id = m.model_id
WHERE m.area IN {areas:Array(String)}
    AND (
        empty({after:Array(String)})
        OR (m.area, m.model_id) > ({after:Array(String)}[1], {after:Array(String)}[2])
    )
ORDER BY m.area, m.model_id
LIMIT {limit:UInt64}
