-- What is stored: one row per (metric, area, vintage) with a value. Versions of one instant count once.
-- The aggregates are those of the projection series_instants, to the letter: the server reads it in the rows' place.
SELECT
    m.metric AS metric,
    m.area AS area,
    toString(m.vintage) AS vintage,
    -- RTE's own metrics: shares of a load or of a park, grams of CO2, and otherwise power.
    multiIf(
        match(m.metric, '^(tco|tch)_'), '%',
        m.metric = 'taux_co2', 'g/kWh',
        match(m.metric, '_zscore$'), '1',
        match(
            m.metric,
            '^(consommation|prevision|fioul|charbon|gaz|nucleaire|eolien|solaire|hydraulique|pompage|bioenergies|'
            || 'thermique|ech_|stockage|destockage)'
        ), 'MW',
        NULL
    ) AS unit,
    toDateTime64(assumeNotNull(minOrNullIf(m.observed_at, isNotNull(m.value))), 0, 'UTC') AS first_observed_at,
    toDateTime64(assumeNotNull(maxOrNullIf(m.observed_at, isNotNull(m.value))), 0, 'UTC') AS last_observed_at,
    groupBitmapIf(
        toUInt32(toUInt32(m.observed_at) % 900 * 4772186 + intDiv(toUInt32(m.observed_at), 900)), isNotNull(m.value)
    ) AS instants
FROM measurements AS m
WHERE (empty({metrics:Array(String)}) OR m.metric IN {metrics:Array(String)})
    AND m.area IN {areas:Array(String)}
    AND m.vintage IN {vintages:Array(String)}
GROUP BY m.metric, m.area, m.vintage
HAVING isNotNull(minOrNullIf(m.observed_at, isNotNull(m.value)))
    AND (
        empty({after:Array(String)})
        OR (m.metric, m.area, toString(m.vintage))
        > ({after:Array(String)}[1], {after:Array(String)}[2], {after:Array(String)}[3])
    )
ORDER BY m.metric, m.area, toString(m.vintage)
LIMIT {limit:UInt64}
-- Else `isNotNull(value)` becomes a read of its map of nulls, which the projection does not have.
SETTINGS optimize_functions_to_subcolumns = 0
