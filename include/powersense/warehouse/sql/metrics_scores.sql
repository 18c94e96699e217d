-- One row per detector and area that was scored within 30 days: age of its newest score, and the last day's anomalies.
SELECT
    scored.detector AS detector,
    scored.area AS area,
    scored.age_seconds AS age_seconds,
    flagged.anomalies AS anomalies
FROM
(
    SELECT
        detector,
        area,
        greatest(0, dateDiff('second', max(observed_at), now('UTC'))) AS age_seconds
    FROM scores
    WHERE observed_at > now('UTC') - INTERVAL 30 DAY
        AND metric = {metric:String}
        AND status = 'scored'
    GROUP BY detector, area
) AS scored
LEFT JOIN
(
    SELECT
        detector,
        area,
        count() AS anomalies
    FROM anomalies FINAL
    WHERE observed_at > now('UTC') - INTERVAL 1 DAY
        AND isNull(retracted_at)
    GROUP BY detector, area
) AS flagged ON flagged.detector = scored.detector AND flagged.area = scored.area
ORDER BY detector, area
