-- Keys of one metric whose latest version came from a file's contents, and which its newest landings lack.
SELECT
    metric,
    place,
    observed_at,
    toString(vintage) AS vintage,
    publisher
FROM (
    SELECT
        metric,
        {place:Identifier} AS place,
        observed_at,
        vintage,
        publisher,
        value,
        batch_id
    FROM {table:Identifier}
    WHERE metric = {metric:String}
        AND place IN {places:Array(String)}
        AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
        AND vintage IN {vintages:Array(String)}
        AND publisher IN {publishers:Array(String)}
    ORDER BY metric, place, observed_at, vintage, publisher, version DESC
    LIMIT 1 BY metric, place, observed_at, vintage, publisher
) AS latest
WHERE isNotNull(value)
    AND startsWith(batch_id, {prefix:String})
    AND (metric, place, observed_at, vintage, publisher) NOT IN (
        SELECT metric, {place:Identifier}, observed_at, vintage, publisher
        FROM {landing_table:Identifier}
        WHERE landing_id IN {landing_ids:Array(String)} AND metric = {metric:String}
    )
