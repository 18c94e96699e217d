SELECT
    batch_id,
    uniqExactIf((metric, area, observed_at, vintage, publisher, version), version = 1),
    uniqExactIf((metric, area, observed_at, vintage, publisher, version), version > 1)
FROM measurements
WHERE metric IN {metrics:Array(String)}
    AND area IN {areas:Array(String)}
    AND observed_at BETWEEN {observed_from:DateTime('UTC')} AND {observed_to:DateTime('UTC')}
    AND batch_id IN {batch_ids:Array(String)}
GROUP BY batch_id
