-- A detector's scores of an episode in order of time: its anomalies, and the instants between them.
SELECT
    toDateTime64(s.observed_at, 0, 'UTC') AS observed_at,
    s.value AS value_mw,
    s.expected_mw AS expected_mw,
    s.lower_mw AS lower_mw,
    s.upper_mw AS upper_mw,
    s.z_score AS z_score,
    s.is_anomaly AS is_anomaly
FROM scores AS s FINAL
WHERE s.detector = {detector:String}
    AND s.metric = {metric:String}
    AND s.area = {area:String}
    AND s.observed_at >= {start:DateTime('UTC')}
    AND s.observed_at < {end:DateTime('UTC')}
ORDER BY s.observed_at
LIMIT {limit:UInt64}
