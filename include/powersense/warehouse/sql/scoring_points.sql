-- What a detector reads. A superseded load is no target, and no sample: in its bucket stands the value that supersedes it,
-- at that one's instant, so that its real-time quarters keep a history.
CREATE TEMPORARY TABLE scoring_points ENGINE = Memory AS
SELECT *
FROM scoring_known
WHERE (area, observed_at) NOT IN (SELECT area, observed_at FROM scoring_superseded)
UNION ALL
SELECT
    area,
    day,
    bucket,
    day_type,
    by_observed_at,
    by_vintage,
    by_version,
    by_value,
    false,
    by_is_accepted,
    by_is_usable
FROM scoring_superseded
