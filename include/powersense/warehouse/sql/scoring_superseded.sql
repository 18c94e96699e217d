-- Known loads whose half-hour holds a value of a higher vintage at another instant, each with the one that counts instead.
-- Consolidated values stand at :00 and :30 only: they revise the real-time ones of :15 and :45 too.
CREATE TEMPORARY TABLE scoring_superseded ENGINE = Memory AS
SELECT
    * EXCEPT best,
    best.1 AS by_observed_at,
    best.2 AS by_vintage,
    best.3 AS by_version,
    best.4 AS by_value,
    best.5 AS by_is_usable,
    best.6 AS by_is_accepted
FROM
(
    SELECT
        *,
        argMax((observed_at, vintage, version, value, is_usable, is_accepted), (vintage, observed_at)) OVER
        (
            PARTITION BY area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE)
        ) AS best
    FROM scoring_known
    WHERE (area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE)) IN
    (
        SELECT area, toStartOfInterval(observed_at, INTERVAL 30 MINUTE)
        FROM scoring_known
        WHERE vintage < (SELECT max(vintage) FROM scoring_known)
    )
)
WHERE vintage < by_vintage
