with errors as (
    select *, {{ season('target_day') }} as season
    from {{ ref('mart_forecast_errors') }}
    where target_day > {{ paris_day(as_of()) }} - 365 and target_day <= {{ paris_day(as_of()) }}
),

scored as (
    select
        area,
        toString(season) as season,
        day_lead,
        model,
        toUInt16(uniqExact(target_day)) as days,
        sum(errors.half_hours) as half_hours,
        sumIf(errors.rte_half_hours, isNotNull(errors.rte_mape)) as rte_half_hours,
        sum(errors.mape * errors.half_hours) / half_hours as mape,
        sqrt(sum(pow(errors.rmse_mw, 2) * errors.half_hours) / half_hours) as rmse_mw,
        sum(errors.bias_mw * errors.half_hours) / half_hours as bias_mw,
        sum(errors.pinball_mw * errors.half_hours) / half_hours as pinball_mw,
        sum(errors.coverage_80 * errors.half_hours) / half_hours as coverage_80,
        sum(errors.rte_mape * errors.rte_half_hours) / nullIf(rte_half_hours, 0) as rte_mape,
        sqrt(sum(pow(errors.rte_rmse_mw, 2) * errors.rte_half_hours) / nullIf(rte_half_hours, 0)) as rte_rmse_mw
    from errors
    group by area, season, day_lead, model
)

select * from scored
