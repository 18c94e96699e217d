-- One row per scored point and detector.
SELECT
    s.detector AS detector,
    s.metric AS metric,
    s.area AS area,
    toDateTime64(s.observed_at, 0, 'UTC') AS observed_at,
    s.value AS value,
    s.expected_mw AS expected_mw,
    s.lower_mw AS lower_mw,
    s.upper_mw AS upper_mw,
    s.z_score AS z_score,
    toString(s.direction) AS direction,
    s.is_anomaly AS is_anomaly,
    toString(s.status) AS status,
    toString(s.vintage) AS vintage,
    s.version AS version,
    s.sample_size AS sample_size,
    s.run_id AS run_id,
    s.scored_at AS scored_at
FROM scores AS s FINAL
WHERE s.metric IN {metrics:Array(String)}
    AND s.area IN {areas:Array(String)}
    AND s.observed_at >= {start:DateTime('UTC')}
    AND s.observed_at < {end:DateTime('UTC')}
    AND (NOT {only_anomalies:Bool} OR s.is_anomaly)
    AND (
        empty({after:Array(String)})
        OR (s.detector, s.metric, s.area, s.observed_at) > (
            {after:Array(String)}[1],
            {after:Array(String)}[2],
            {after:Array(String)}[3],
            parseDateTimeBestEffortOrZero({after:Array(String)}[4], 'UTC')
        )
    )
ORDER BY s.detector, s.metric, s.area, s.observed_at
LIMIT {limit:UInt64}
