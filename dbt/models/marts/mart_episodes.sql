with episodes as (
    select * from {{ ref('stg_powersense__episodes') }}
),

areas as (
    select * from {{ ref('dim_areas') }}
),

told as (
    select
        episodes.episode_id as episode_id,
        episodes.detector as detector,
        episodes.metric as metric,
        episodes.area as area,
        areas.insee_code as insee_code,
        episodes.state as state,
        episodes.severity as severity,
        episodes.direction as direction,
        episodes.started_at as started_at,
        episodes.ended_at as ended_at,
        toTimeZone(episodes.started_at, 'Europe/Paris') as started_at_paris,
        toTimeZone(episodes.ended_at, 'Europe/Paris') as ended_at_paris,
        dateDiff('minute', episodes.started_at, episodes.ended_at) as duration_minutes,
        episodes.points as points,
        episodes.peak_at as peak_at,
        episodes.peak_z_score as peak_z_score,
        episodes.peak_deviation_mw as peak_deviation_mw,
        episodes.explanation as explanation,
        episodes.updated_at as updated_at
    from episodes
    left join areas on episodes.area = areas.area
    where episodes.state != 'retracted'
)

select * from told
