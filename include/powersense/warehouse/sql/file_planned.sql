SELECT
    path,
    toString(reason) AS reason,
    size
FROM file_candidates
WHERE ingestion = {ingestion:String} AND comparison_id = {comparison_id:String}
ORDER BY batch = 0, batch, modified_at, path
LIMIT {limit:UInt32}
