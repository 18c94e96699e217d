-- The episode that a label is about, and the instant at which it is given by the clock that stamps measurements.
SELECT
    episode_id,
    detector,
    metric,
    area,
    toString(direction) AS direction,
    started_at,
    ended_at,
    peak_z_score,
    now64(6, 'UTC') AS labelled_at
FROM episodes FINAL
WHERE episode_id = {episode_id:String}
