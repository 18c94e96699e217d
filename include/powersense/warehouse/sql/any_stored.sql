SELECT 1
FROM measurements
WHERE metric IN {metrics:Array(String)}
    AND area IN {areas:Array(String)}
    AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
    AND vintage IN {vintages:Array(String)}
    AND publisher IN {publishers:Array(String)}
LIMIT 1
