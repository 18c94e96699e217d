with episodes as (
    select * from {{ ref('stg_powersense__episodes') }}
),

labels as (
    select * from {{ ref('stg_powersense__episode_labels') }}
    order by episode_id asc, labelled_at desc, label desc
    limit 1 by episode_id
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
        if(labels.label = 'none', null, toString(labels.label)) as label,
        if(labels.label = 'none', null, labels.comment) as label_comment,
        if(labels.label = 'none', null, labels.author) as labelled_by,
        if(labels.label = 'none', null, labels.labelled_at) as labelled_at,
        episodes.updated_at as updated_at
    from episodes
    left join areas on episodes.area = areas.area
    left join labels on episodes.episode_id = labels.episode_id
    where episodes.state != 'retracted'
)

select * from told
