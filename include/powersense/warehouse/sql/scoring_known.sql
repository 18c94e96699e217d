-- One row per known load of the targets' days and of the history before them, on the Paris calendar: those of the hours, from
-- which levels are made, and those at the targets' times of day, each with the others of its half-hour.
-- `is_usable` is false for what no baseline may hold: past anomalies, and values of which a quarantined record or the label
-- of an episode said since that they are not usual. `is_accepted`: a label called the detector's alarm about the value false,
-- so that a baseline may hold it though it is flagged. Labels speak of the values that stood when they were given.
CREATE TEMPORARY TABLE scoring_known ENGINE = Memory AS
WITH
    past_anomalies AS
    (
        SELECT
            area,
            observed_at
        FROM anomalies FINAL
        WHERE detector = {detector:String} AND metric = {metric:String} AND isNull(retracted_at)
            AND observed_at >= {history_start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
            AND (area, observed_at) NOT IN (SELECT area, observed_at FROM scoring_targets)
    ),
    remarks AS
    (
        SELECT
            area,
            observed_at,
            max(distrusted_at) AS distrusted_at,
            max(accepted_at) AS accepted_at
        FROM
        (
            SELECT
                area,
                assumeNotNull(observed_at) AS observed_at,
                last_seen_at AS distrusted_at,
                toDateTime64(0, 6, 'UTC') AS accepted_at
            FROM quarantine FINAL
            WHERE reason IN ('not_a_number', 'out_of_range')
                AND (detail = {metric:String} OR startsWith(detail, concat({metric:String}, ':')))
                AND observed_at >= {history_start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
            UNION ALL
            SELECT
                area,
                arrayJoin(timeSlots(started_at, toUInt32(greatest(ended_at - started_at, 1) - 1), 900)) AS observed_at,
                if(label = 'false_alarm', toDateTime64(0, 6, 'UTC'), labelled_at) AS distrusted_at,
                if(label = 'false_alarm', labelled_at, toDateTime64(0, 6, 'UTC')) AS accepted_at
            FROM scoring_labels
            WHERE started_at < {end:DateTime('UTC')} AND ended_at > {history_start:DateTime('UTC')}
                AND (label != 'false_alarm' OR detector = {detector:String})
        )
        GROUP BY area, observed_at
    )

SELECT
    known.area AS area,
    toDate(known.observed_at, 'Europe/Paris') AS day,
    toUInt16(intDiv(toHour(known.observed_at, 'Europe/Paris') * 60 + toMinute(known.observed_at, 'Europe/Paris'), 15) * 15) AS bucket,
    calendar.day_type AS day_type,
    known.observed_at AS observed_at,
    known.vintage AS vintage,
    known.version AS version,
    known.value AS value,
    (known.area, known.observed_at) IN (SELECT area, observed_at FROM scoring_targets) AS is_target,
    remarks.accepted_at >= known.inserted_at AS is_accepted,
    (is_accepted OR (known.area, known.observed_at) NOT IN (SELECT area, observed_at FROM past_anomalies))
        AND remarks.distrusted_at < known.inserted_at AS is_usable
FROM
(
    SELECT
        area,
        observed_at,
        value,
        vintage,
        version,
        inserted_at
    FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String})
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at >= {history_start:DateTime('UTC')}
        AND observed_at < toStartOfInterval({end:DateTime('UTC')} - INTERVAL 1 SECOND, INTERVAL 30 MINUTE) + INTERVAL 30 MINUTE
        AND
        (
            toMinute(observed_at) < 30
            OR intDiv(toHour(observed_at, 'Europe/Paris') * 60 + toMinute(observed_at, 'Europe/Paris'), 30) IN
            (
                SELECT DISTINCT intDiv(toHour(observed_at, 'Europe/Paris') * 60 + toMinute(observed_at, 'Europe/Paris'), 30)
                FROM scoring_targets
            )
        )
) AS known
LEFT JOIN (SELECT day, day_type FROM calendar_days FINAL) AS calendar ON calendar.day = toDate(known.observed_at, 'Europe/Paris')
LEFT JOIN remarks ON remarks.area = known.area AND remarks.observed_at = known.observed_at
WHERE throwIf(calendar.day_type = '', 'calendar_days lacks a day that has load; run powersense.warehouse.migrate') = 0
