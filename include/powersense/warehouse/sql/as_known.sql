SELECT area, observed_at, value, toString(vintage) AS vintage, version
FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String})
WHERE metric = {metric:String}
    AND area IN {areas:Array(String)}
    AND observed_at >= {start:DateTime('UTC')}
    AND observed_at < {end:DateTime('UTC')}
ORDER BY area, observed_at
