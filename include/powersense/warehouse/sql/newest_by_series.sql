SELECT metric, area, publisher, max(observed_at)
FROM measurements
WHERE metric IN {metrics:Array(String)}
    AND observed_at >= {since:DateTime('UTC')}
    AND isNotNull(value)
GROUP BY metric, area, publisher
