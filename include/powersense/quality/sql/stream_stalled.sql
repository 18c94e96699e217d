-- One row per worker of the stream with a heartbeat in the last week: the newest, and what the last minutes were like.
-- They begin two minutes early, so that a heartbeat shows how it stood at their start. What was scored in the last minute
-- may not have landed yet.
SELECT
    beats.worker_id AS worker_id,
    -- The DAG beats once at the end of each run, with that run's counts.
    beats.worker_id = 'score_features' AS is_micro_batches,
    max(beats.beat_at) AS beat_at,
    argMax(toString(beats.state), beats.beat_at) AS state,
    argMax(beats.lag, beats.beat_at) AS lag,
    minIf(beats.beat_at, beats.is_recent) AS watched_since,
    argMinIf(beats.lag, beats.beat_at, beats.is_recent) AS lag_before,
    argMaxIf(beats.messages, beats.beat_at, beats.is_recent) AS scored_at_last,
    argMinIf(beats.messages, beats.beat_at, beats.is_recent) AS scored_at_first,
    multiIf(
        is_micro_batches,
        sumIf(beats.messages, beats.is_recent) - scored_at_first,
        scored_at_last >= scored_at_first,
        scored_at_last - scored_at_first,
        -- A worker of the same name that began anew counts from 0 again.
        scored_at_last
    ) AS scored,
    countIf(beats.is_recent AND beats.state != 'waiting_for_model') = 0 AS is_always_waiting,
    if(
        is_micro_batches,
        sumIf(beats.messages, beats.is_recent AND beats.is_past),
        argMaxIf(beats.messages, beats.beat_at, beats.is_recent AND beats.is_past)
    ) > scored_at_first AS has_scored,
    (
        SELECT count()
        FROM stream_results
        WHERE inserted_at > {now:DateTime('UTC')} - toIntervalMinute({stream_stalled_minutes:UInt32} + 2)
    ) AS landed,
    (
        SELECT count()
        FROM stream_results
        WHERE inserted_at > {now:DateTime('UTC')} - INTERVAL 7 DAY
    ) AS landed_in_week
FROM
(
    SELECT
        worker_id,
        beat_at,
        state,
        lag,
        messages,
        beat_at > {now:DateTime('UTC')} - toIntervalMinute({stream_stalled_minutes:UInt32} + 2) AS is_recent,
        beat_at < {now:DateTime('UTC')} - INTERVAL 1 MINUTE AS is_past
    FROM stream_workers
    WHERE beat_at > {now:DateTime('UTC')} - INTERVAL 7 DAY
        AND beat_at <= {now:DateTime('UTC')}
) AS beats
GROUP BY beats.worker_id
ORDER BY worker_id
