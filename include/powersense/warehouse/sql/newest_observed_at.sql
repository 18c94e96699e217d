SELECT maxOrNull(observed_at)
FROM measurements
WHERE metric = {metric:String}
    AND publisher = {publisher:String}
    AND (empty({areas:Array(String)}) OR area IN {areas:Array(String)})
    AND (empty({vintages:Array(String)}) OR toString(vintage) IN {vintages:Array(String)})
    AND isNotNull(value)
