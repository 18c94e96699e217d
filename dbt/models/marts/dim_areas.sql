with areas as (
    select * from {{ ref('areas') }}
),

described as (
    select
        area,
        insee_code,
        area = 'France' as is_national
    from areas
)

select * from described
