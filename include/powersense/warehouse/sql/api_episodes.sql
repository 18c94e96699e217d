-- Episodes that overlap the range, the newest first, each with what people say of it.
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
    if(said.label = 'none', NULL, toString(said.label)) AS label,
    if(said.label = 'none', NULL, said.comment) AS label_comment,
    if(said.label = 'none', NULL, said.author) AS labelled_by,
    if(said.label = 'none', NULL, said.labelled_at) AS labelled_at,
    e.run_id AS run_id,
    e.updated_at AS updated_at
FROM episodes AS e FINAL
LEFT JOIN
(
    SELECT
        episode_id,
        label,
        comment,
        author,
        labelled_at
    FROM episode_labels_as_known(as_of = {as_of:DateTime64(6, 'UTC')})
) AS said ON said.episode_id = e.episode_id
WHERE e.area IN {areas:Array(String)}
    AND toString(e.state) IN {states:Array(String)}
    AND toString(said.label) IN {labels:Array(String)}
    AND (empty({detectors:Array(String)}) OR e.detector IN {detectors:Array(String)})
    AND (empty({episode_ids:Array(String)}) OR e.episode_id IN {episode_ids:Array(String)})
    AND e.ended_at >= {start:DateTime('UTC')}
    AND e.started_at < {end:DateTime('UTC')}
    AND (
        empty({after:Array(String)})
        OR (e.started_at, e.episode_id)
        < (parseDateTimeBestEffortOrZero({after:Array(String)}[1], 'UTC'), {after:Array(String)}[2])
    )
ORDER BY e.started_at DESC, e.episode_id DESC
LIMIT {limit:UInt64}
