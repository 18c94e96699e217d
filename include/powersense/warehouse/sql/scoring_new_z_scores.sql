-- Z-scores that differ from the stored ones, as rows to land. A first NULL is nothing to tell; a later one takes back the
-- z-score that stands, of whatever vintage that is.
SELECT
    {z_score_metric:String} AS metric,
    scored.area AS area,
    scored.observed_at AS observed_at,
    toString(if(isNull(scored.z_score), known.vintage, scored.vintage)) AS vintage,
    scored.z_score AS value,
    scored.scored_at AS retrieved_at
FROM scoring_final AS scored
LEFT JOIN
(
    SELECT
        area,
        observed_at,
        vintage,
        z_score
    FROM scores FINAL
    WHERE detector = {detector:String} AND metric = {metric:String}
        AND observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
) AS known ON known.area = scored.area AND known.observed_at = scored.observed_at
WHERE NOT (isNull(scored.z_score) AND isNull(known.z_score))
    AND NOT (known.vintage = scored.vintage AND known.z_score <=> scored.z_score)
