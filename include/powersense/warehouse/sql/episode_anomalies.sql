-- The anomalies that stand in a stretch of time, each with the length of its step: up to the area's next instant with a
-- value, else as long as the one before; a quarter of an hour where neither is near.
WITH
    standing AS
    (
        SELECT
            area,
            observed_at,
            value,
            expected_mw,
            z_score,
            direction
        FROM anomalies FINAL
        WHERE detector = {detector:String} AND metric = {metric:String} AND isNull(retracted_at)
            AND area IN {areas:Array(String)}
            AND observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
    ),
    neighbours AS
    (
        SELECT DISTINCT
            area,
            observed_at
        FROM measurements
        WHERE metric = {metric:String} AND isNotNull(value) AND area IN {areas:Array(String)}
            AND observed_at >= {start:DateTime('UTC')} - INTERVAL 1 HOUR
            AND observed_at < {end:DateTime('UTC')} + INTERVAL 1 HOUR
            AND (area, observed_at) IN
            (
                SELECT area, observed_at + toIntervalMinute(arrayJoin([-30, -15, 15, 30])) FROM standing
            )
    )

SELECT
    area,
    observed_at,
    multiIf(
        (area, observed_at + INTERVAL 15 MINUTE) IN neighbours, 15,
        (area, observed_at + INTERVAL 30 MINUTE) IN neighbours, 30,
        (area, observed_at - INTERVAL 15 MINUTE) IN neighbours, 15,
        (area, observed_at - INTERVAL 30 MINUTE) IN neighbours, 30,
        15
    ) AS step_minutes,
    value,
    expected_mw,
    z_score,
    toString(direction) AS direction
FROM standing
ORDER BY area, observed_at
