-- Targets whose band is wider than the rule's, by the false alarms of their kind that count at their instant: what each half
-- of the band is multiplied with. The formula stands in detection/labels.py.
CREATE TEMPORARY TABLE scoring_wider_bands ENGINE = Memory AS
SELECT
    targets.area AS area,
    targets.observed_at AS observed_at,
    least({widest:Float64}, 1 + {wider_by:Float64} * countIf(alarms.direction = 'low')) AS low_factor,
    least({widest:Float64}, 1 + {wider_by:Float64} * countIf(alarms.direction = 'high')) AS high_factor
FROM scoring_targets AS targets
INNER JOIN scoring_labels AS alarms ON alarms.area = targets.area
WHERE alarms.label = 'false_alarm'
    AND alarms.detector = {detector:String}
    AND alarms.ended_at <= targets.observed_at
    AND targets.observed_at < alarms.started_at + toIntervalDay({counts_for_days:UInt32})
GROUP BY targets.area, targets.observed_at
