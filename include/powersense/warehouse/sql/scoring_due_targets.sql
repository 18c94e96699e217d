-- The points that need a score: recent ones without one, and those of any age whose value is not the one that was scored, or
-- that are superseded (scoring_superseded.sql) and their score does not say so.
-- `changed` leans on the skip index over inserted_at and on the first scored instant, so that settled history and history
-- without scores are not read again every run. It takes half-hours whole, since one instant's value can supersede the other's.
CREATE TEMPORARY TABLE scoring_targets ENGINE = Memory AS
WITH
    changed AS
    (
        SELECT
            area,
            arrayJoin([half_hour, half_hour + INTERVAL 15 MINUTE]) AS observed_at
        FROM
        (
            SELECT DISTINCT
                area,
                toStartOfInterval(observed_at, INTERVAL 30 MINUTE) AS half_hour
            FROM measurements
            WHERE metric = {metric:String}
                AND area IN {areas:Array(String)}
                AND observed_at < {start:DateTime('UTC')}
                AND observed_at >=
                (
                    SELECT toStartOfInterval(min(observed_at), INTERVAL 30 MINUTE)
                    FROM scores
                    WHERE detector = {detector:String} AND metric = {metric:String}
                )
                AND inserted_at > {changed_since:DateTime64(6, 'UTC')}
                AND (area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE)) IN
                (
                    SELECT area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE)
                    FROM scores
                    WHERE detector = {detector:String} AND metric = {metric:String} AND observed_at < {start:DateTime('UTC')}
                )
        )
    ),
    known AS
    (
        SELECT
            area,
            observed_at,
            value,
            vintage,
            version,
            vintage < max(vintage) OVER (PARTITION BY area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE)) AS is_superseded
        FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String})
        WHERE metric = {metric:String}
            AND area IN {areas:Array(String)}
            AND observed_at < toStartOfInterval({end:DateTime('UTC')} - INTERVAL 1 SECOND, INTERVAL 30 MINUTE) + INTERVAL 30 MINUTE
            AND
            (
                observed_at >= toStartOfInterval({start:DateTime('UTC')}, INTERVAL 30 MINUTE)
                OR (area, observed_at) IN (SELECT area, observed_at FROM changed)
            )
    )

SELECT
    known.area AS area,
    known.observed_at AS observed_at
FROM known
LEFT JOIN
(
    SELECT
        area,
        observed_at,
        value,
        vintage,
        version,
        status
    FROM scores FINAL
    WHERE detector = {detector:String} AND metric = {metric:String} AND observed_at < {end:DateTime('UTC')}
        AND (observed_at >= {start:DateTime('UTC')} OR (area, observed_at) IN (SELECT area, observed_at FROM changed))
) AS scored ON scored.area = known.area AND scored.observed_at = known.observed_at
WHERE known.observed_at < {end:DateTime('UTC')}
    AND (known.observed_at >= {start:DateTime('UTC')} OR scored.version > 0)
    AND
    (
        (known.vintage, known.version, known.value) != (scored.vintage, scored.version, scored.value)
        OR known.is_superseded != (scored.status = 'superseded')
    )
