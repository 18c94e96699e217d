-- How forecasts of the last year did: by area, season, lead and model.
SELECT
    c.area AS area,
    toString(c.season) AS season,
    toUInt8(c.day_lead) AS day_lead,
    toString(c.model) AS model,
    toUInt32(c.days) AS days,
    toUInt64(c.half_hours) AS half_hours,
    c.mape AS mape,
    c.rmse_mw AS rmse_mw,
    c.bias_mw AS bias_mw,
    c.pinball_mw AS pinball_mw,
    c.coverage_80 AS coverage_80,
    c.rte_mape AS rte_mape,
    c.rte_rmse_mw AS rte_rmse_mw
FROM {marts:Identifier}.mart_forecast_scorecard AS c
WHERE c.area IN {areas:Array(String)}
    AND (
        empty({after:Array(String)})
        OR (c.area, toString(c.season), toUInt8(c.day_lead), toString(c.model)) > (
            {after:Array(String)}[1],
            {after:Array(String)}[2],
            toUInt8OrZero({after:Array(String)}[3]),
            {after:Array(String)}[4]
        )
    )
ORDER BY c.area, toString(c.season), toUInt8(c.day_lead), toString(c.model)
LIMIT {limit:UInt64}
