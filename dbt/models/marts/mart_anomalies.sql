with anomalies as (
    select * from {{ ref('stg_powersense__anomalies') }}
),

standing as (
    select
        detector,
        metric,
        area,
        observed_at,
        toTimeZone(observed_at, 'Europe/Paris') as observed_at_paris,
        load_mw,
        expected_mw,
        deviation_mw,
        if(expected_mw = 0, null, deviation_mw / expected_mw) as deviation_share,
        z_score,
        direction,
        severity,
        detected_at
    from anomalies
    where not is_retracted
)

select * from standing
