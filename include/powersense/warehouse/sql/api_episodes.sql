-- Episodes that overlap the range, the newest first.
SELECT
    e.episode_id AS episode_id,
    e.detector AS detector,
    e.metric AS metric,
    e.area AS area,
    toDateTime64(e.started_at, 0, 'UTC') AS started_at,
    toDateTime64(e.ended_at, 0, 'UTC') AS ended_at,
    e.points AS points,
    toDateTime64(e.peak_at, 0, 'UTC') AS peak_at,
    e.peak_z_score AS peak_z_score,
    e.peak_deviation_mw AS peak_deviation_mw,
    toString(e.direction) AS direction,
    e.severity AS severity,
    e.explanation AS explanation,
    toString(e.state) AS state,
    e.run_id AS run_id,
    e.updated_at AS updated_at
FROM episodes AS e FINAL
WHERE e.area IN {areas:Array(String)}
    AND toString(e.state) IN {states:Array(String)}
    AND e.ended_at >= {start:DateTime('UTC')}
    AND e.started_at < {end:DateTime('UTC')}
    AND (
        empty({after:Array(String)})
        OR (e.started_at, e.episode_id)
        < (parseDateTimeBestEffortOrZero({after:Array(String)}[1], 'UTC'), {after:Array(String)}[2])
    )
ORDER BY e.started_at DESC, e.episode_id DESC
LIMIT {limit:UInt64}
