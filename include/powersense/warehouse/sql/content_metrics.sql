-- Metrics that the files of an ingestion have brought so far for some places and vintages.
SELECT groupUniqArrayArray(metrics)
FROM {log_table:Identifier}
WHERE startsWith(batch_id, {prefix:String})
    AND hasAny({places_column:Identifier}, {places:Array(String)})
    AND hasAny(vintages, {vintages:Array(String)})
