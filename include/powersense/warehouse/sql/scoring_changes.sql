-- Rows of `anomalies` to write: points flagged now that were not, or otherwise; and flagged ones that a revision healed.
CREATE TEMPORARY TABLE scoring_changes ENGINE = Memory AS
SELECT
    {detector:String} AS detector,
    {metric:String} AS metric,
    scored.area AS area,
    scored.observed_at AS observed_at,
    if(scored.is_anomaly, scored.value, known.value) AS value,
    if(scored.is_anomaly, assumeNotNull(scored.expected_mw), known.expected_mw) AS expected_mw,
    if(scored.is_anomaly, assumeNotNull(scored.z_score), known.z_score) AS z_score,
    value - expected_mw AS deviation_mw,
    if(scored.is_anomaly, scored.direction, known.direction) AS direction,
    if(abs(deviation_mw) >= {critical_share:Float64} * abs(expected_mw), 'critical', 'warning') AS severity,
    if(known.detector = '', scored.scored_at, known.detected_at) AS detected_at,
    if(scored.is_anomaly, NULL, scored.scored_at) AS retracted_at,
    {run_id:String} AS run_id,
    scored.scored_at AS updated_at,
    known.detector != '' AND isNull(known.retracted_at) AS was_active
FROM scoring_final AS scored
LEFT JOIN
(
    SELECT * FROM anomalies FINAL
    WHERE detector = {detector:String} AND metric = {metric:String}
        AND observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
) AS known ON known.area = scored.area AND known.observed_at = scored.observed_at
WHERE (scored.is_anomaly AND NOT (was_active AND known.value = scored.value AND known.z_score = scored.z_score))
    OR (NOT scored.is_anomaly AND was_active)
