-- Of each area's models trained by `known_at`, newest first: those asked for, and those that need no weather.
SELECT area, model_id, model, data_until, uses_weather, artefact_uri, artefact_sha256
FROM models FINAL
WHERE area IN {areas:Array(String)}
    AND trained_at <= {known_at:DateTime('UTC')}
    AND (model_id IN {model_ids:Array(String)} OR NOT uses_weather)
ORDER BY area, trained_at DESC, model_id
