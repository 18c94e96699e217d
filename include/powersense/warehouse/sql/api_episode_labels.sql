-- All that was said of an episode, the newest first; a label that is null takes back what was said before.
SELECT
    if(said.label = 'none', NULL, toString(said.label)) AS label,
    said.comment AS comment,
    said.author AS author,
    said.labelled_at AS labelled_at
FROM episode_labels AS said
WHERE said.episode_id = {episode_id:String}
ORDER BY said.labelled_at DESC
LIMIT {limit:UInt64}
