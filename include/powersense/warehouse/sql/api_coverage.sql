-- Per Paris day and series, how many of the expected values came.
SELECT
    c.metric AS metric,
    c.area AS area,
    c.day AS day,
    toUInt32(c.expected_slots) AS expected_values,
    toUInt32(c.received_slots) AS received_values,
    c.coverage_ratio AS coverage_ratio,
    toBool(c.is_partial_day) AS is_partial_day,
    c.last_observed_at AS last_observed_at
FROM {marts:Identifier}.mart_daily_coverage AS c
WHERE c.metric IN {metrics:Array(String)}
    AND c.area IN {areas:Array(String)}
    AND c.day >= toDate({start:DateTime('UTC')}, 'Europe/Paris')
    AND c.day <= toDate({end:DateTime('UTC')} - 1, 'Europe/Paris')
    AND (
        empty({after:Array(String)})
        OR (c.metric, c.area, c.day) > (
            {after:Array(String)}[1], {after:Array(String)}[2], toDateOrZero({after:Array(String)}[3])
        )
    )
ORDER BY c.metric, c.area, c.day
LIMIT {limit:UInt64}
