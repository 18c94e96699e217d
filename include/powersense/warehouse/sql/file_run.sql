SELECT * EXCEPT (updated_at)
FROM file_runs FINAL
WHERE ingestion = {ingestion:String} AND run_id = {run_id:String}
