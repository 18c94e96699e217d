-- Hours of [start, end) in which some station of a department has a temperature.
SELECT stations.department AS department, arraySort(groupUniqArray(toStartOfHour(reports.observed_at))) AS hours
FROM
(
    SELECT station, observed_at
    FROM weather_observations
    WHERE metric = 'temperature_c'
        AND observed_at >= {start:DateTime('UTC')}
        AND observed_at < {end:DateTime('UTC')}
        AND isNotNull(value)
) AS reports
INNER JOIN weather_stations AS stations FINAL ON stations.station = reports.station
WHERE stations.department IN {departments:Array(String)}
GROUP BY department
ORDER BY department
