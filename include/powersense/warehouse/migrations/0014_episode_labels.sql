-- What people said of episodes, one row per saying, never changed: the newest of an episode counts, `none` takes back.
-- What it was said of stands beside it, so that a label means the same once its range is scored again.
CREATE TABLE IF NOT EXISTS ${database}.episode_labels ${on_cluster}
(
    episode_id String,
    label Enum8('none' = 0, 'true_event' = 1, 'data_error' = 2, 'false_alarm' = 3),
    comment String,
    author String,
    detector LowCardinality(String),
    metric LowCardinality(String),
    area LowCardinality(String),
    direction Enum8('low' = -1, 'none' = 0, 'high' = 1),
    started_at DateTime('UTC'),
    ended_at DateTime('UTC'),
    peak_z_score Float64,
    labelled_at DateTime64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
ORDER BY (episode_id, labelled_at);

-- The labels that stand, as known at an instant: one row per episode, none where the label was taken back.
CREATE OR REPLACE VIEW ${database}.episode_labels_as_known ${on_cluster} AS
SELECT *
FROM
(
    SELECT
        said.episode_id AS episode_id,
        said.label AS label,
        said.comment AS comment,
        said.author AS author,
        said.detector AS detector,
        said.metric AS metric,
        said.area AS area,
        said.direction AS direction,
        said.started_at AS started_at,
        said.ended_at AS ended_at,
        said.peak_z_score AS peak_z_score,
        said.labelled_at AS labelled_at
    FROM ${database}.episode_labels AS said
    WHERE said.labelled_at <= {as_of:DateTime64(6, 'UTC')}
    ORDER BY said.episode_id, said.labelled_at DESC, said.label DESC
    LIMIT 1 BY said.episode_id
)
WHERE label != 'none';
