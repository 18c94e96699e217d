-- Mean load of each half-hour, of the highest vintage that it has a value of: real time is published every quarter of an
-- hour, later vintages every half-hour, and a mean over both would mix their levels. The versions' sum rises with each
-- value that comes or is revised.
SELECT area, half_hour, toString(vintage) AS vintage, value, versions
FROM
(
    SELECT
        area,
        toStartOfInterval(observed_at, INTERVAL 30 MINUTE, 'UTC') AS half_hour,
        vintage,
        avg(value) AS value,
        sum(version) AS versions
    FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String})
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at >= {start:DateTime('UTC')}
        AND observed_at < {end:DateTime('UTC')}
    GROUP BY area, half_hour, vintage
    ORDER BY area, half_hour, vintage DESC
    LIMIT 1 BY area, half_hour
)
ORDER BY area, half_hour
