-- Per area its loads out of range, and for France the instants at which the regions do not add up, within six hours.
WITH recent AS
(
    SELECT
        area,
        observed_at,
        value
    FROM measurements_as_known(as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'), up_to_vintage = 'definitive')
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at > {now:DateTime('UTC')} - INTERVAL 6 HOUR
        AND observed_at <= {now:DateTime('UTC')}
)

SELECT
    'range' AS kind,
    area,
    count() AS instants,
    min(value) AS lowest,
    max(value) AS highest,
    max(observed_at) AS newest
FROM recent
WHERE value <= 0 OR value > if(area = {national_area:String}, {national_max_mw:Float64}, {regional_max_mw:Float64})
GROUP BY area

UNION ALL

SELECT
    'imbalance' AS kind,
    {national_area:String} AS area,
    count() AS instants,
    min(gap) AS lowest,
    max(gap) AS highest,
    max(observed_at) AS newest
FROM
(
    SELECT
        observed_at,
        anyIf(value, area = {national_area:String}) AS national_mw,
        sumIf(value, area != {national_area:String}) / national_mw - 1 AS gap
    FROM recent
    GROUP BY observed_at
    HAVING uniqExact(area) = length({areas:Array(String)}) AND national_mw > 0
)
WHERE abs(gap) > {max_imbalance:Float64}
HAVING count() > 0
