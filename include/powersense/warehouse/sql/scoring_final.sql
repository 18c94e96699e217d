-- The results that count, one row per target, with the scoring's instant: all tables written below carry the same one.
CREATE TEMPORARY TABLE scoring_final ENGINE = Memory AS
WITH now64(6, 'UTC') AS scored_at
SELECT
    *,
    scored_at
FROM (SELECT * FROM scoring_results ORDER BY pass DESC LIMIT 1 BY area, observed_at)
