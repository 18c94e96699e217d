with results as (
    select * from {{ ref('stg_powersense__stream_results') }}
),

anomalies as (
    select
        message_id,
        asset_id,
        sensor_id,
        observed_at,
        toTimeZone(observed_at, 'Europe/Paris') as observed_at_paris,
        final_score,
        criticality,
        multiIf(criticality = 'critical', 'critical', criticality = 'high', 'warning', 'info') as severity,
        {{ stream_score('isolation_forest') }} as isolation_forest_score,
        {{ stream_score('one_class_svm') }} as one_class_svm_score,
        {{ stream_score('lstm_autoencoder') }} as lstm_autoencoder_score,
        cast((model_names, scores) as Map(String, Float32)) as model_scores,
        cast(arrayFilter((name, is_flagged) -> is_flagged, model_names, flags) as Array(String)) as flagged_by,
        features,
        metadata,
        notes,
        model_id,
        scored_at
    from results
    where is_anomaly
)

select * from anomalies
