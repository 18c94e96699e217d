-- The kinds of episodes whose band is wider, by the false alarms that count for the next point to be scored.
-- The formula stands in detection/labels.py.
WITH alarms AS
(
    SELECT *
    FROM episode_labels_as_known(as_of = {as_of:DateTime64(6, 'UTC')})
    WHERE label = 'false_alarm'
)

SELECT
    alarms.detector AS detector,
    alarms.area AS area,
    toString(alarms.direction) AS direction,
    least({widest:Float64}, 1 + {wider_by:Float64} * count()) AS factor,
    count() AS false_alarms,
    min(alarms.labelled_at) AS since,
    arrayMap(alarm -> alarm.2, arrayReverseSort(groupArray((alarms.started_at, alarms.episode_id)))) AS episodes
FROM alarms
LEFT JOIN
(
    SELECT
        detector,
        metric,
        area,
        max(observed_at) AS scored_until
    FROM scores
    WHERE (detector, metric, area) IN (SELECT detector, metric, area FROM alarms)
    GROUP BY detector, metric, area
) AS newest ON newest.detector = alarms.detector AND newest.metric = alarms.metric AND newest.area = alarms.area
WHERE alarms.started_at + toIntervalDay({counts_for_days:UInt32}) > newest.scored_until
GROUP BY alarms.detector, alarms.area, alarms.direction
ORDER BY alarms.detector, alarms.area, alarms.direction
LIMIT {limit:UInt64}
