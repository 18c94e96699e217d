SELECT
    ingestion,
    declaration,
    origin,
    is_enabled,
    changed_by,
    changed_at
FROM file_ingestions FINAL
WHERE NOT is_deleted AND (ingestion = {ingestion:String} OR {ingestion:String} = '')
ORDER BY ingestion
