-- One row per area: load values changed by more than 1 %, or withdrawn, in the last 24 hours of insertion.
SELECT
    area,
    count() AS revisions,
    avg(ifNull(abs(value - previous), 0)) AS mean_change_mw,
    min(observed_at) AS oldest,
    max(observed_at) AS newest
FROM
(
    SELECT
        area,
        observed_at,
        version,
        value,
        inserted_at,
        lagInFrame(value) OVER (PARTITION BY area, observed_at, vintage, publisher ORDER BY version) AS previous
    FROM measurements FINAL
    WHERE metric = {metric:String}
        AND (area, observed_at, vintage, publisher) IN
        (
            SELECT area, observed_at, vintage, publisher
            FROM measurements
            WHERE metric = {metric:String}
                AND area IN {areas:Array(String)}
                AND version > 1
                AND inserted_at > {now:DateTime('UTC')} - INTERVAL 1 DAY
        )
)
WHERE version > 1
    AND inserted_at > {now:DateTime('UTC')} - INTERVAL 1 DAY
    AND isNotNull(previous)
    AND (isNull(value) OR abs(value - previous) > 0.01 * abs(previous))
GROUP BY area
ORDER BY area
