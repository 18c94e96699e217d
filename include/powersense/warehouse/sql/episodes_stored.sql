-- The episodes that reach into a stretch of time, or are open, and are not retracted.
SELECT
    episode_id,
    area,
    started_at,
    ended_at,
    points,
    peak_at,
    peak_z_score,
    peak_deviation_mw,
    toString(direction) AS direction,
    severity,
    explanation,
    toString(state) AS state
FROM episodes FINAL
WHERE detector = {detector:String} AND metric = {metric:String} AND state != 'retracted'
    AND area IN {areas:Array(String)}
    AND started_at < {end:DateTime('UTC')}
    AND (ended_at > {start:DateTime('UTC')} OR state = 'open')
ORDER BY area, started_at
