-- What people said of the series' episodes of every detector, as far as it stands.
CREATE TEMPORARY TABLE scoring_labels ENGINE = Memory AS
SELECT
    label,
    detector,
    area,
    direction,
    started_at,
    ended_at,
    labelled_at
FROM episode_labels_as_known(as_of = {as_of:DateTime64(6, 'UTC')})
WHERE metric = {metric:String} AND area IN {areas:Array(String)}
