-- One row per (area, vintage) below the highest: the median ratio of the next vintage's load to its own, over the newest
-- `pairs` half-hours that have both.
WITH by_half_hour AS
(
    SELECT
        area,
        half_hour,
        avgOrNullIf(load_mw, vintage = 'realtime') AS realtime,
        avgOrNullIf(load_mw, vintage = 'consolidated') AS consolidated,
        avgOrNullIf(load_mw, vintage = 'definitive') AS definitive
    FROM
    (
        SELECT
            area,
            toStartOfInterval(observed_at, INTERVAL 30 MINUTE, 'UTC') AS half_hour,
            vintage,
            argMax(value, version) AS load_mw
        FROM measurements
        WHERE metric = {metric:String}
            AND area IN {areas:Array(String)}
            AND observed_at >= {start:DateTime('UTC')}
            AND observed_at < {end:DateTime('UTC')}
            AND inserted_at <= {as_of:DateTime64(6, 'UTC')}
            AND value > 0
            AND vintage <= CAST({up_to_vintage:String}, 'Enum8(\'realtime\' = 1, \'consolidated\' = 2, \'definitive\' = 3)')
        GROUP BY area, observed_at, vintage
    )
    GROUP BY area, half_hour
)

SELECT area, lower AS vintage, quantileExact(0.5)(ratio) AS ratio
FROM
(
    SELECT area, half_hour, pair.1 AS lower, pair.2 AS ratio
    FROM by_half_hour
    ARRAY JOIN [
        ('realtime', coalesce(consolidated, definitive) / realtime),
        ('consolidated', definitive / consolidated)
    ] AS pair
    WHERE isNotNull(pair.2)
    ORDER BY area, lower, half_hour DESC
    LIMIT {pairs:UInt32} BY area, lower
)
GROUP BY area, lower
ORDER BY area, lower
