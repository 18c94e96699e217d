-- Keep the answer beside its claim, for whoever asks again.
INSERT INTO push_requests (caller, idempotency_key, body_sha256, batch_id, claimed_at, answer)
SELECT
    caller,
    idempotency_key,
    body_sha256,
    batch_id,
    claimed_at,
    {answer:String}
FROM push_requests FINAL
WHERE caller = {caller:String} AND idempotency_key = {idempotency_key:String}
