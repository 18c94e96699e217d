SELECT 1
FROM {table:Identifier}
WHERE metric IN {metrics:Array(String)}
    AND {place:Identifier} IN {places:Array(String)}
    AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
    AND vintage IN {vintages:Array(String)}
    AND publisher IN {publishers:Array(String)}
LIMIT 1
