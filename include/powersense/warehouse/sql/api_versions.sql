-- Every stored version, of the vintages allowed, that had been inserted by `as_of`; a blank version has no value.
SELECT
    m.metric AS metric,
    m.area AS area,
    toDateTime64(m.observed_at, 0, 'UTC') AS observed_at,
    m.value AS value,
    toString(m.vintage) AS vintage,
    m.version AS version,
    m.publisher AS publisher,
    m.source AS source,
    m.run_id AS run_id,
    m.inserted_at AS inserted_at
FROM measurements AS m FINAL
WHERE m.metric IN {metrics:Array(String)}
    AND m.area IN {areas:Array(String)}
    AND m.observed_at >= {start:DateTime('UTC')}
    AND m.observed_at < {end:DateTime('UTC')}
    AND m.inserted_at <= {as_of:DateTime64(6, 'UTC')}
    AND m.vintage <= CAST({up_to_vintage:String}, 'Enum8(\'realtime\' = 1, \'consolidated\' = 2, \'definitive\' = 3)')
    AND (
        empty({after:Array(String)})
        OR (m.metric, m.area, m.observed_at, toString(m.vintage), m.publisher, m.version) > (
            {after:Array(String)}[1],
            {after:Array(String)}[2],
            parseDateTimeBestEffortOrZero({after:Array(String)}[3], 'UTC'),
            {after:Array(String)}[4],
            {after:Array(String)}[5],
            toUInt32OrZero({after:Array(String)}[6])
        )
    )
ORDER BY m.metric, m.area, m.observed_at, toString(m.vintage), m.publisher, m.version
LIMIT {limit:UInt64}
