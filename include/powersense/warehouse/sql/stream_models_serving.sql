-- Of each scope the ensemble that was trained last.
SELECT
    model_id,
    scope,
    model_names,
    feature_names,
    trained_at,
    data_from,
    data_until,
    rows_trained,
    metrics,
    code_version,
    seed,
    artefact_uri,
    artefact_sha256,
    source,
    run_id
FROM stream_models FINAL
ORDER BY scope, trained_at DESC, model_id DESC
LIMIT 1 BY scope
