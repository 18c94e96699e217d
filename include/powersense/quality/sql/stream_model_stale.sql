-- One row per scope whose models scored messages in the last day: the newest model, which serves.
WITH serving AS
(
    SELECT DISTINCT model_id
    FROM stream_results
    WHERE scored_at > {now:DateTime('UTC')} - INTERVAL 1 DAY
        AND scored_at <= {now:DateTime('UTC')}
)

SELECT
    models.scope AS scope,
    argMax(models.model_id, models.trained_at) AS model_id,
    max(models.trained_at) AS trained_at
FROM stream_models AS models FINAL
WHERE models.trained_at <= {now:DateTime('UTC')}
GROUP BY models.scope
HAVING countIf(models.model_id IN (SELECT serving.model_id FROM serving)) > 0
ORDER BY scope
