-- Half-hours that are not usual: an anomaly stands in them, whichever detector found it, that no label calls a false alarm;
-- or the label of an episode says so. Labels speak of the values that stood when they were given.
WITH
    said AS
    (
        SELECT
            detector,
            area,
            label,
            labelled_at,
            arrayJoin(timeSlots(started_at, toUInt32(greatest(ended_at - started_at, 1) - 1), 900)) AS observed_at
        FROM episode_labels_as_known(as_of = {as_of:DateTime64(6, 'UTC')})
        WHERE metric = {metric:String}
            AND area IN {areas:Array(String)}
            AND started_at < {end:DateTime('UTC')} AND ended_at > {start:DateTime('UTC')}
    ),
    newest AS
    (
        SELECT
            area,
            observed_at,
            max(inserted_at) AS inserted_at
        FROM measurements
        WHERE metric = {metric:String}
            AND isNotNull(value)
            AND (area, observed_at) IN (SELECT area, observed_at FROM said)
        GROUP BY area, observed_at
    ),
    told AS
    (
        SELECT
            said.detector AS detector,
            said.area AS area,
            said.label AS label,
            said.observed_at AS observed_at
        FROM said
        INNER JOIN newest ON newest.area = said.area AND newest.observed_at = said.observed_at
        WHERE newest.inserted_at <= said.labelled_at
    )

SELECT DISTINCT
    area,
    toStartOfInterval(observed_at, INTERVAL 30 MINUTE, 'UTC') AS half_hour
FROM
(
    SELECT
        area,
        observed_at
    FROM anomalies FINAL
    WHERE metric = {metric:String}
        AND area IN {areas:Array(String)}
        AND observed_at >= {start:DateTime('UTC')}
        AND observed_at < {end:DateTime('UTC')}
        AND isNull(retracted_at)
        AND (detector, area, observed_at) NOT IN (SELECT detector, area, observed_at FROM told WHERE label = 'false_alarm')
    UNION ALL
    SELECT
        area,
        observed_at
    FROM told
    WHERE label != 'false_alarm'
        AND observed_at >= {start:DateTime('UTC')}
        AND observed_at < {end:DateTime('UTC')}
)
ORDER BY area, half_hour
