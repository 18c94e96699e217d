with scores as (
    select * from {{ ref('stg_powersense__scores') }}
),

scored as (
    select
        detector,
        area,
        observed_at,
        toTimeZone(observed_at, 'Europe/Paris') as observed_at_paris,
        load_mw,
        expected_mw,
        lower_mw,
        upper_mw,
        z_score,
        direction,
        is_anomaly,
        status,
        sample_size,
        scored_at
    from scores
    where metric = 'consommation'
)

select * from scored
