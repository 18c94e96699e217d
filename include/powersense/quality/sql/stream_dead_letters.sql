-- One row about the last hour, where it has dead letters: how many, of how many messages, and their most frequent reason.
WITH reasons AS
(
    SELECT
        reason,
        count() AS dead_letters,
        argMax(detail, failed_at) AS detail
    FROM stream_dead_letters FINAL
    WHERE failed_at > {now:DateTime('UTC')} - INTERVAL 1 HOUR
        AND failed_at <= {now:DateTime('UTC')}
    GROUP BY reason
)

SELECT
    sum(reasons.dead_letters) AS dead_letters,
    (
        SELECT count()
        FROM stream_results FINAL
        WHERE scored_at > {now:DateTime('UTC')} - INTERVAL 1 HOUR
            AND scored_at <= {now:DateTime('UTC')}
    ) AS messages,
    argMax(reasons.reason, reasons.dead_letters) AS reason,
    argMax(reasons.detail, reasons.dead_letters) AS detail,
    max(reasons.dead_letters) AS with_reason
FROM reasons
HAVING dead_letters > 0
