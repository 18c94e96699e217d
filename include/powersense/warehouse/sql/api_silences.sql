-- Silences, the one that starts last first. One that was ended before it started lasts no time.
SELECT
    s.silence_id AS silence_id,
    s.rules AS rules,
    s.areas AS areas,
    s.starts_at AS starts_at,
    s.ends_at AS ends_at,
    s.reason AS reason,
    s.author AS author,
    s.ended_by AS ended_by,
    s.created_at AS created_at,
    multiIf(
        s.ends_at <= now64(6, 'UTC') OR s.ends_at <= s.starts_at, 'past',
        s.starts_at > now64(6, 'UTC'), 'upcoming',
        'active'
    ) AS state
FROM alert_silences AS s FINAL
WHERE state IN {states:Array(String)}
    AND (empty({silence_ids:Array(String)}) OR s.silence_id IN {silence_ids:Array(String)})
    AND (
        empty({after:Array(String)})
        OR (s.starts_at, s.silence_id) < (
            parseDateTime64BestEffortOrZero({after:Array(String)}[1], 6, 'UTC'), {after:Array(String)}[2]
        )
    )
ORDER BY s.starts_at DESC, s.silence_id DESC
LIMIT {limit:UInt64}
