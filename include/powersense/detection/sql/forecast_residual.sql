-- Every target against the newest forecast of its half-hour issued at least `lead_minutes` before that half-hour begins.
-- The formula and its source stand in detection/forecast_residual.py. The quarters :15 and :45 are held against the line
-- between two half-hours: loads that climb or fall by a tenth within half an hour are no anomaly.
INSERT INTO scoring_results
(
    pass, area, day, bucket, day_type, observed_at, vintage, version, value, expected_mw, scale_mw, z_score, lower_mw, upper_mw,
    threshold, min_deviation_mw, sample_size, direction, is_anomaly, status
)
WITH
    targets AS
    (
        SELECT
            *,
            toStartOfInterval(observed_at, INTERVAL 30 MINUTE) AS half_hour
        FROM scoring_points
        WHERE is_target
    ),
    -- No forecast reaches further than seven days. Of the issue that counts, the half-hour and the one after it.
    issued AS
    (
        SELECT
            area,
            half_hour,
            countIf(target_at = half_hour) AS issues,
            argMaxIf([q100_mw, q500_mw, q900_mw], issued_at, target_at = half_hour) AS own,
            argMaxIf([q100_mw, q500_mw, q900_mw], issued_at, target_at > half_hour) AS next
        FROM
        (
            SELECT
                *,
                arrayJoin([target_at, target_at - INTERVAL 30 MINUTE]) AS half_hour
            FROM forecasts_as_known(as_of = {as_of:DateTime64(6, 'UTC')})
            WHERE area IN (SELECT area FROM targets)
                AND issued_at >= (SELECT min(half_hour) FROM targets) - INTERVAL 7 DAY
                AND issued_at <= (SELECT max(half_hour) FROM targets) - toIntervalMinute({lead_minutes:UInt32})
                AND lead_minutes >= {lead_minutes:UInt32}
        )
        WHERE issued_at <= half_hour - toIntervalMinute({lead_minutes:UInt32})
            AND (area, half_hour) IN (SELECT area, half_hour FROM targets)
        GROUP BY area, half_hour
    ),
    foretold AS
    (
        SELECT
            targets.*,
            toUInt32(issued.issues) AS issues,
            if(
                bucket % 30 = 0 OR empty(issued.next),
                issued.own,
                arrayMap((one, other) -> (one + other) / 2, issued.own, issued.next)
            ) AS quantiles
        FROM targets
        LEFT JOIN issued ON issued.area = targets.area AND issued.half_hour = targets.half_hour
    ),
    expected AS
    (
        SELECT
            *,
            if(issues > 0, toFloat64(quantiles[2]), NULL) AS expected_mw,
            greatest(
                (quantiles[3] - quantiles[1]) / {deviations:Float64}, {scale_floor_share:Float64} * abs(expected_mw)
            ) AS scale_mw,
            greatest({min_deviation_mw:Float64}, {min_deviation_share:Float64} * ifNull(abs(expected_mw), 0)) AS min_deviation_mw,
            greatest({threshold:Float64} * scale_mw, min_deviation_mw) AS half_band
        FROM foretold
    ),
    banded AS
    (
        SELECT
            expected.*,
            expected_mw - half_band * greatest(1, wider.low_factor) AS lower,
            expected_mw + half_band * greatest(1, wider.high_factor) AS upper,
            greatest(1, multiIf(issues = 0, 1, value < expected_mw, wider.low_factor, wider.high_factor)) AS own_factor
        FROM expected
        LEFT JOIN scoring_wider_bands AS wider ON wider.area = expected.area AND wider.observed_at = expected.observed_at
    )

SELECT
    1,
    area,
    day,
    bucket,
    day_type,
    observed_at,
    vintage,
    version,
    value,
    expected_mw,
    scale_mw,
    round((value - expected_mw) / nullIf(scale_mw, 0), 6),
    lower,
    upper,
    {threshold:Float64} * own_factor,
    min_deviation_mw * own_factor,
    issues,
    multiIf(issues = 0, 'none', value < lower, 'low', value > upper, 'high', 'none') AS direction,
    direction != 'none',
    if(issues > 0, 'scored', 'insufficient_history')
FROM banded
