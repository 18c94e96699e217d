SELECT DISTINCT area
FROM forecasts
WHERE area IN {areas:Array(String)}
    AND issued_at = {issued_at:DateTime('UTC')}
ORDER BY area
