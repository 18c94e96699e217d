-- One row per asset with high or critical anomalies among the messages scored lately. Messages of the past, such as a
-- bootstrap of history, alarm nobody.
SELECT
    results.asset_id AS asset_id,
    if(has({areas:Array(String)}, results.asset_id), results.asset_id, '') AS area,
    countIf(results.is_alarming) AS anomalies,
    count() AS messages,
    countIf(results.is_alarming AND results.criticality = 'critical') AS critical,
    minIf(results.observed_at, results.is_alarming) AS first_at,
    maxIf(results.observed_at, results.is_alarming) AS last_at,
    maxIf(results.final_score, results.is_alarming) AS worst_score,
    argMaxIf(results.sensor_id, results.final_score, results.is_alarming) AS worst_sensor_id,
    argMaxIf(results.flagged_by, results.final_score, results.is_alarming) AS models
FROM
(
    SELECT
        asset_id,
        sensor_id,
        observed_at,
        final_score,
        criticality,
        arrayFilter((name, is_flagged) -> is_flagged, model_names, flags) AS flagged_by,
        is_anomaly AND criticality IN ('high', 'critical') AS is_alarming
    FROM stream_results FINAL
    WHERE scored_at > {now:DateTime('UTC')} - toIntervalMinute({stream_anomaly_minutes:UInt32})
        AND scored_at <= {now:DateTime('UTC')}
        AND observed_at > {now:DateTime('UTC')} - INTERVAL 7 DAY
) AS results
GROUP BY results.asset_id
HAVING anomalies > 0
ORDER BY asset_id
