SELECT
    countIf(reason = 'new') AS files_new,
    countIf(reason = 'changed') AS files_changed,
    countIf(reason IN ('retried', 'waiting')) AS files_retried,
    countIf(batch = 0) AS files_waiting,
    max(batch) AS batches
FROM file_candidates
WHERE ingestion = {ingestion:String} AND comparison_id = {comparison_id:String}
