-- Files under a claim that has not ended for good: a task may still be about to activate what it wrote.
SELECT DISTINCT sipHash64(ingestion, path) AS file_id
FROM file_claims
WHERE claimed_until > least({now:DateTime64(6, 'UTC')}, now64(6, 'UTC')) - toIntervalSecond({safe_seconds:UInt32})
