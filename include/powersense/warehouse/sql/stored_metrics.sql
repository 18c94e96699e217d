-- Grouped, as the projection series_instants is: the server reads it in the rows' place.
SELECT metric
FROM measurements
GROUP BY metric
ORDER BY metric
