with load_anomalies as (
    select * from {{ ref('mart_anomalies') }}
),

stream_anomalies as (
    select * from {{ ref('mart_stream_anomalies') }}
),

unioned as (
    select
        'load' as kind,
        toString(area) as place,
        toString(metric) as part,
        toDateTime64(observed_at, 3, 'UTC') as observed_at,
        toString(detector) as detector,
        abs(z_score) as score,
        'z_score' as score_unit,
        toString(severity) as severity,
        toDateTime64(detected_at, 3, 'UTC') as detected_at
    from load_anomalies
    union all
    select
        'stream' as kind,
        toString(asset_id) as place,
        toString(sensor_id) as part,
        observed_at,
        'stream_ensemble' as detector,
        toFloat64(final_score) as score,
        'share' as score_unit,
        severity,
        scored_at as detected_at
    from stream_anomalies
)

select
    kind,
    place,
    part,
    observed_at,
    toTimeZone(observed_at, 'Europe/Paris') as observed_at_paris,
    detector,
    score,
    score_unit,
    severity,
    detected_at
from unioned
