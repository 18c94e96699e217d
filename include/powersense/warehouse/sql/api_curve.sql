-- The curve in buckets of equal width, counted from the epoch: least, mean and greatest value of each.
SELECT
    k.area AS area,
    toDateTime64(
        toDateTime(intDiv(toUInt32(k.observed_at), {width:UInt32}) * {width:UInt32}, 'UTC'), 0, 'UTC'
    ) AS bucket_at,
    min(k.value) AS min,
    avg(k.value) AS mean,
    max(k.value) AS max,
    toUInt32(count()) AS values
FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String}) AS k
WHERE k.metric = {metric:String}
    AND k.area IN {areas:Array(String)}
    AND k.observed_at >= {start:DateTime('UTC')}
    AND k.observed_at < {end:DateTime('UTC')}
GROUP BY area, bucket_at
ORDER BY area, bucket_at
LIMIT {limit:UInt64}
