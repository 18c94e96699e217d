-- Every target of `areas` (all, if empty) from `first_day` on against its baseline; none holds what `scoring_flags` holds.
-- The formula and its source stand in detection/baseline_zscore.py, that of wider bands in detection/labels.py. No frame
-- reaches the scored day itself.
INSERT INTO scoring_results
(
    pass, area, day, bucket, day_type, observed_at, vintage, version, value, expected_mw, scale_mw, z_score, lower_mw, upper_mw,
    threshold, min_deviation_mw, sample_size, direction, is_anomaly, status
)
WITH
    points AS
    (
        SELECT
            *,
            is_usable AND (is_accepted OR (area, observed_at) NOT IN (SELECT area, observed_at FROM scoring_flags)) AS is_sample
        FROM scoring_points
        WHERE empty({areas:Array(String)}) OR area IN {areas:Array(String)}
    ),
    levels AS
    (
        SELECT
            area,
            day,
            if(length(recent) >= {level_min_values:UInt32}, arrayReduce('quantileExactInclusive(0.5)', recent), 0) AS level
        FROM
        (
            SELECT
                area,
                day,
                groupArrayArray(hourly) OVER
                (
                    PARTITION BY area
                    ORDER BY toUInt16(day) RANGE BETWEEN {level_days:UInt16} PRECEDING AND 1 PRECEDING
                ) AS recent
            FROM
            (
                SELECT
                    area,
                    day,
                    groupArrayIf(value, is_sample AND bucket % 60 = 0) AS hourly
                FROM points
                GROUP BY area, day
            )
        )
    ),
    sampled AS
    (
        SELECT
            points.*,
            levels.level AS level,
            groupArrayIf(value / level, is_sample AND level > 0) OVER
            (
                PARTITION BY area, day_type, bucket
                ORDER BY toUInt16(day) RANGE BETWEEN {lookback_days:UInt16} PRECEDING AND 1 PRECEDING
            ) AS ratios
        FROM points
        INNER JOIN levels ON levels.area = points.area AND levels.day = points.day
        WHERE (day_type, bucket) IN (SELECT day_type, bucket FROM scoring_points WHERE is_target AND day >= {first_day:Date})
    ),
    centred AS
    (
        SELECT
            *,
            level > 0 AND length(ratios) >= {min_samples:UInt32} AS is_scored,
            if({method:String} = 'robust', arrayReduce('quantileExactInclusive(0.5)', ratios), arrayAvg(ratios)) AS centre
        FROM sampled
        WHERE is_target AND day >= {first_day:Date}
    ),
    scaled AS
    (
        SELECT
            *,
            if(
                {method:String} = 'robust',
                {scale_factor:Float64} * arrayReduce('quantileExactInclusive(0.5)', arrayMap(ratio -> abs(ratio - centre), ratios)),
                arrayReduce('stddevSampStable', ratios)
            ) AS spread,
            if(is_scored, centre * level, NULL) AS expected,
            if(is_scored, greatest(spread, {scale_floor_share:Float64} * centre) * level, NULL) AS scale,
            greatest({min_deviation_mw:Float64}, {min_deviation_share:Float64} * ifNull(expected, 0)) AS min_deviation,
            greatest({threshold:Float64} * scale, min_deviation) AS half_band
        FROM centred
    ),
    banded AS
    (
        SELECT
            scaled.*,
            expected - half_band * greatest(1, wider.low_factor) AS lower,
            expected + half_band * greatest(1, wider.high_factor) AS upper,
            greatest(1, multiIf(NOT is_scored, 1, value < expected, wider.low_factor, wider.high_factor)) AS own_factor
        FROM scaled
        LEFT JOIN scoring_wider_bands AS wider ON wider.area = scaled.area AND wider.observed_at = scaled.observed_at
    )

SELECT
    {pass:UInt32},
    area,
    day,
    bucket,
    day_type,
    observed_at,
    vintage,
    version,
    value,
    expected,
    scale,
    -- Rounded, so that the order in which a sum is taken never makes a new version of a z-score.
    round((value - expected) / nullIf(scale, 0), 6),
    lower,
    upper,
    {threshold:Float64} * own_factor,
    min_deviation * own_factor,
    length(ratios),
    multiIf(NOT is_scored, 'none', value <= lower, 'low', value >= upper, 'high', 'none') AS direction,
    direction != 'none',
    if(is_scored, 'scored', 'insufficient_history')
FROM banded
