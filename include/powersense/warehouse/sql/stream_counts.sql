-- What became of the stream's messages since then, and when one was last scored, and last failed.
SELECT
    results.messages AS messages,
    results.anomalies AS anomalies,
    letters.dead_letters AS dead_letters,
    results.last_scored_at AS last_scored_at,
    letters.last_failed_at AS last_failed_at
FROM
(
    SELECT
        count() AS messages,
        countIf(is_anomaly) AS anomalies,
        maxOrNull(scored_at) AS last_scored_at
    FROM stream_results FINAL
    WHERE scored_at > {since:DateTime64(3, 'UTC')}
) AS results
CROSS JOIN
(
    SELECT
        count() AS dead_letters,
        maxOrNull(failed_at) AS last_failed_at
    FROM stream_dead_letters FINAL
    WHERE failed_at > {since:DateTime64(3, 'UTC')}
) AS letters
