-- The newest instant with a value, per area, in a stretch of time.
SELECT
    area,
    max(observed_at) AS newest
FROM measurements
WHERE metric = {metric:String} AND isNotNull(value) AND area IN {areas:Array(String)}
    AND observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
    AND inserted_at <= {as_of:DateTime64(6, 'UTC')}
GROUP BY area
