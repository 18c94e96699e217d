-- Loads of a table that no reader sees now: superseded, abandoned, or not yet active.
SELECT
    _load_id,
    any(_file_id) AS file_id,
    count() AS stored_rows
FROM {database:Identifier}.{table:Identifier}
WHERE (_file_id, _load_id) NOT IN
(
    SELECT
        file_id,
        load_id
    FROM file_activations FINAL
    WHERE target = {target:String}
)
GROUP BY _load_id
ORDER BY _load_id
