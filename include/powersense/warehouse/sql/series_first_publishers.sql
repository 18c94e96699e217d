-- Who published each series first; a tie goes to the first name.
SELECT
    metric,
    area,
    argMin(publisher, (inserted_at, publisher)) AS publisher
FROM measurements
WHERE metric IN {metrics:Array(String)} AND area IN {areas:Array(String)}
GROUP BY metric, area
