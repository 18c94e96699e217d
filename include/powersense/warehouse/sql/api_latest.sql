-- Per area: its first and newest load, the newest one that a detector judged, and how far its newest forecast reaches.
-- `ends` has the aggregates of the projection series_instants, to the letter: the server reads it in the rows' place.
WITH ends AS (
    SELECT
        m.area AS area,
        assumeNotNull(minOrNullIf(m.observed_at, isNotNull(m.value))) AS first_at,
        assumeNotNull(maxOrNullIf(m.observed_at, isNotNull(m.value))) AS newest_at
    FROM measurements AS m
    WHERE m.metric = {metric:String}
        AND m.area IN {areas:Array(String)}
    GROUP BY m.area
    HAVING isNotNull(minOrNullIf(m.observed_at, isNotNull(m.value)))
),

newest AS (
    SELECT
        m.area AS area,
        m.observed_at AS observed_at,
        assumeNotNull(m.value) AS value_mw,
        m.vintage AS vintage,
        m.inserted_at AS inserted_at
    FROM measurements AS m
    WHERE m.metric = {metric:String}
        AND (m.area, m.observed_at) IN (SELECT ends.area, ends.newest_at FROM ends)
        AND isNotNull(m.value)
    ORDER BY m.area, m.vintage DESC, m.version DESC, m.publisher DESC, m.inserted_at DESC
    LIMIT 1 BY m.area
),

judged AS (
    SELECT
        s.area AS area,
        toNullable(s.observed_at) AS judged_at,
        toNullable(s.value) AS judged_mw,
        s.expected_mw AS expected_mw,
        s.lower_mw AS lower_mw,
        s.upper_mw AS upper_mw,
        s.z_score AS z_score,
        toNullable(s.is_anomaly) AS is_anomaly
    FROM scores AS s FINAL
    WHERE s.detector = {detector:String}
        AND s.metric = {metric:String}
        AND s.area IN {areas:Array(String)}
        AND s.observed_at >= (SELECT max(ends.newest_at) FROM ends) - INTERVAL 1 DAY
        AND s.status = 'scored'
    ORDER BY s.area, s.observed_at DESC
    LIMIT 1 BY s.area
),

issues AS (
    SELECT
        f.area AS area,
        toNullable(argMax(f.target_at, (f.issued_at, f.target_at))) AS forecast_until
    FROM forecasts AS f
    WHERE f.area IN {areas:Array(String)}
        AND f.issued_at >= (SELECT max(ends.newest_at) FROM ends) - INTERVAL 31 DAY
    GROUP BY f.area
)

SELECT
    newest.area AS area,
    toDateTime64(ends.first_at, 0, 'UTC') AS first_observed_at,
    toDateTime64(newest.observed_at, 0, 'UTC') AS observed_at,
    newest.value_mw AS value_mw,
    toString(newest.vintage) AS vintage,
    newest.inserted_at AS inserted_at,
    toDateTime64(judged.judged_at, 0, 'UTC') AS judged_at,
    judged.judged_mw AS judged_mw,
    judged.expected_mw AS expected_mw,
    judged.lower_mw AS lower_mw,
    judged.upper_mw AS upper_mw,
    judged.z_score AS z_score,
    judged.is_anomaly AS is_anomaly,
    toDateTime64(issues.forecast_until, 0, 'UTC') AS forecast_until
FROM newest
INNER JOIN ends ON ends.area = newest.area
LEFT JOIN judged ON judged.area = newest.area
LEFT JOIN issues ON issues.area = newest.area
WHERE empty({after:Array(String)}) OR newest.area > {after:Array(String)}[1]
ORDER BY newest.area
LIMIT {limit:UInt64}
-- Else `isNotNull(value)` becomes a read of its map of nulls, which the projection does not have.
SETTINGS optimize_functions_to_subcolumns = 0
