-- One row per area and kind of model: age of the newest that was trained.
SELECT
    area AS scope,
    'forecast' AS kind,
    greatest(0, dateDiff('second', max(trained_at), now('UTC'))) AS age_seconds
FROM models
GROUP BY area

UNION ALL

SELECT
    if(scope = '', 'all', scope) AS scope,
    'stream' AS kind,
    greatest(0, dateDiff('second', max(trained_at), now64(3, 'UTC'))) AS age_seconds
FROM stream_models
GROUP BY stream_models.scope
