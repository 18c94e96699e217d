-- What a detector expected, in the buckets of the curve: the mean expectation, the widest band, and the worst anomaly.
SELECT
    s.area AS area,
    toDateTime64(
        toDateTime(intDiv(toUInt32(s.observed_at), {width:UInt32}) * {width:UInt32}, 'UTC'), 0, 'UTC'
    ) AS bucket_at,
    avg(assumeNotNull(s.expected_mw)) AS expected_mw,
    min(assumeNotNull(s.lower_mw)) AS lower_mw,
    max(assumeNotNull(s.upper_mw)) AS upper_mw,
    toUInt32(countIf(s.is_anomaly)) AS anomalies,
    if(anomalies = 0, NULL, toDateTime64(argMaxIf(s.observed_at, abs(s.z_score), s.is_anomaly), 0, 'UTC')) AS worst_at,
    if(anomalies = 0, NULL, argMaxIf(s.value, abs(s.z_score), s.is_anomaly)) AS worst_mw,
    if(anomalies = 0, NULL, argMaxIf(s.z_score, abs(s.z_score), s.is_anomaly)) AS worst_z_score
FROM scores AS s FINAL
WHERE s.detector = {detector:String}
    AND s.metric = {metric:String}
    AND s.area IN {areas:Array(String)}
    AND s.observed_at >= {start:DateTime('UTC')}
    AND s.observed_at < {end:DateTime('UTC')}
    AND s.status = 'scored'
    AND isNotNull(s.expected_mw)
GROUP BY area, bucket_at
ORDER BY area, bucket_at
LIMIT {limit:UInt64}
