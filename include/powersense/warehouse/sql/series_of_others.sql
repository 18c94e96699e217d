-- Series among these that a publisher other than the one named has values in.
SELECT DISTINCT
    metric,
    area
FROM measurements
WHERE metric IN {metrics:Array(String)}
    AND area IN {areas:Array(String)}
    AND publisher != {publisher:String}
