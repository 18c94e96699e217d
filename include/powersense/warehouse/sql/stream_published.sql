SELECT area, observed_at, toString(vintage) AS vintage, versions
FROM stream_published FINAL
WHERE area IN {areas:Array(String)}
    AND observed_at >= {start:DateTime('UTC')}
    AND observed_at < {end:DateTime('UTC')}
