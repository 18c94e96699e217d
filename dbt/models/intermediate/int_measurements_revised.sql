with measurements as (
    select * from {{ ref('stg_powersense__measurements') }}
    where publisher != 'powersense'
),

sequenced as (
    select
        *,
        row_number() over series as position,
        lag(value) over series as previous_value,
        lag(vintage) over series as previous_vintage,
        lag(version) over series as previous_version
    from measurements
    window series as (partition by metric, area, observed_at, publisher order by vintage, version)
),

revised as (
    select
        metric,
        area,
        observed_at,
        publisher,
        vintage,
        version,
        value,
        previous_vintage,
        previous_version,
        previous_value,
        value - previous_value as moved_by,
        if(vintage = previous_vintage, 'correction', 'vintage_change') as kind,
        previous_value is null and value is not null as is_filled,
        previous_value is not null and value is null as is_withdrawn,
        dateDiff('second', observed_at, retrieved_at) / 3600 as age_hours,
        retrieved_at,
        inserted_at,
        run_id
    from sequenced
    where position > 1
)

select * from revised
