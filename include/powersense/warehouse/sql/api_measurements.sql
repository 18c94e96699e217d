-- One value per (metric, area, instant), as it was known at `as_of`; a page begins after the key `after`.
-- The rule of the view measurements_as_known, written out: through the view the server plans twice as long as it reads.
-- tests/services/test_api_data.py holds the two against each other.
SELECT
    m.metric AS metric,
    m.area AS area,
    toDateTime64(m.observed_at, 0, 'UTC') AS observed_at,
    assumeNotNull(m.value) AS value,
    toString(m.vintage) AS vintage,
    m.version AS version,
    m.publisher AS publisher,
    m.source AS source,
    m.run_id AS run_id,
    m.inserted_at AS inserted_at
FROM measurements AS m
WHERE m.metric IN {metrics:Array(String)}
    AND m.area IN {areas:Array(String)}
    AND m.observed_at >= {start:DateTime('UTC')}
    AND m.observed_at < {end:DateTime('UTC')}
    AND m.inserted_at <= {as_of:DateTime64(6, 'UTC')}
    AND m.vintage <= {up_to_vintage:Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3)}
    AND isNotNull(m.value)
    -- From here: a page after the first.
    AND (m.metric, m.area, m.observed_at) > (
        {after:Array(String)}[1],
        {after:Array(String)}[2],
        parseDateTimeBestEffortOrZero({after:Array(String)}[3], 'UTC')
    )
    -- Until here.
ORDER BY
    m.metric,
    m.area,
    m.observed_at,
    m.vintage DESC,
    m.version DESC,
    m.publisher DESC,
    m.inserted_at DESC
LIMIT 1 BY m.metric, m.area, m.observed_at
LIMIT {limit:UInt64}
