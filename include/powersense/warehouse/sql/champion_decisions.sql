-- Decisions of each area taken by `known_at`, in order.
SELECT area, toString(action) AS action, model_id
FROM model_decisions FINAL
WHERE area IN {areas:Array(String)}
    AND decided_at <= {known_at:DateTime('UTC')}
ORDER BY area, decided_at, inserted_at
