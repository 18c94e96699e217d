SELECT
    batch_id,
    uniqExactIf((metric, {place:Identifier}, observed_at, vintage, publisher, version), version = 1),
    uniqExactIf((metric, {place:Identifier}, observed_at, vintage, publisher, version), version > 1)
FROM {table:Identifier}
WHERE metric IN {metrics:Array(String)}
    AND {place:Identifier} IN {places:Array(String)}
    AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
    AND batch_id IN {batch_ids:Array(String)}
GROUP BY batch_id
