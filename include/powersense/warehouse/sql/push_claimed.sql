-- What stands under an idempotency key, if it has not expired.
SELECT
    body_sha256,
    batch_id,
    claimed_at,
    answer
FROM push_requests FINAL
WHERE caller = {caller:String}
    AND idempotency_key = {idempotency_key:String}
    AND claimed_at > now64(6) - INTERVAL 30 DAY
