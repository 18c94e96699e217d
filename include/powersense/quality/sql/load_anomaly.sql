-- One row per episode that is open or ended within a week, not retracted: who else it struck, when it was told, and
-- what people say of it by the wall clock, at which they say it.
WITH recent AS
(
    SELECT
        episode_id,
        detector,
        area,
        metric,
        state,
        severity,
        explanation,
        started_at,
        ended_at
    FROM episodes FINAL
    WHERE state != 'retracted'
        AND started_at <= {now:DateTime('UTC')}
        AND (state = 'open' OR ended_at > {now:DateTime('UTC')} - INTERVAL 7 DAY)
)

SELECT
    episode.episode_id AS episode_id,
    any(episode.detector) AS detector,
    any(episode.area) AS area,
    any(episode.metric) AS metric,
    any(episode.state) AS state,
    any(episode.severity) AS severity,
    any(episode.explanation) AS explanation,
    any(episode.started_at) AS started_at,
    any(episode.ended_at) AS ended_at,
    uniqExact(other.area) AS areas_at_once,
    length({areas:Array(String)}) AS areas,
    any(raised.raised_at) AS raised_at,
    toString(any(said.label)) AS label
FROM recent AS episode
INNER JOIN recent AS other ON other.metric = episode.metric
LEFT JOIN
(
    SELECT
        fingerprint,
        toNullable(min(opened_at)) AS raised_at
    FROM alerts
    WHERE startsWith(fingerprint, 'load_anomaly|')
    GROUP BY fingerprint
) AS raised ON raised.fingerprint = concat('load_anomaly|', episode.area, '|', episode.episode_id)
LEFT JOIN episode_labels_as_known(as_of = now64(6, 'UTC')) AS said ON said.episode_id = episode.episode_id
WHERE other.started_at < episode.ended_at
    AND other.ended_at > episode.started_at
GROUP BY episode.episode_id
ORDER BY episode_id
