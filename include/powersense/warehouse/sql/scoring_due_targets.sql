-- The points that need a score: recent ones without one, and those of any age whose value is not the one that was scored.
-- `changed` leans on the skip index over inserted_at and on the first scored instant, so that settled history and history
-- without scores are not read again every run.
CREATE TEMPORARY TABLE scoring_targets ENGINE = Memory AS
WITH
    changed AS
    (
        SELECT DISTINCT
            area,
            observed_at
        FROM measurements
        WHERE metric = {metric:String}
            AND area IN {areas:Array(String)}
            AND observed_at < {start:DateTime('UTC')}
            AND observed_at >= (SELECT min(observed_at) FROM scores WHERE detector = {detector:String} AND metric = {metric:String})
            AND inserted_at > {changed_since:DateTime64(6, 'UTC')}
            AND (area, observed_at) IN
            (
                SELECT area, observed_at
                FROM scores
                WHERE detector = {detector:String} AND metric = {metric:String} AND observed_at < {start:DateTime('UTC')}
            )
    ),
    known AS
    (
        SELECT
            area,
            observed_at,
            value,
            vintage,
            version
        FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String})
        WHERE metric = {metric:String}
            AND area IN {areas:Array(String)}
            AND observed_at < {end:DateTime('UTC')}
            AND (observed_at >= {start:DateTime('UTC')} OR (area, observed_at) IN (SELECT area, observed_at FROM changed))
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
        version
    FROM scores FINAL
    WHERE detector = {detector:String} AND metric = {metric:String} AND observed_at < {end:DateTime('UTC')}
        AND (observed_at >= {start:DateTime('UTC')} OR (area, observed_at) IN (SELECT area, observed_at FROM changed))
) AS scored ON scored.area = known.area AND scored.observed_at = known.observed_at
WHERE (known.vintage, known.version, known.value) != (scored.vintage, scored.version, scored.value)
