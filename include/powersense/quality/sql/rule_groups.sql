-- The groups that some rules have had: a number that changes with each, and the open ones with their last opening.
SELECT
    g.rule AS rule,
    toString(groupBitXor(sipHash64(g.group_id))) AS lineage,
    groupArrayIf(g.group_id, g.is_open) AS open_ids,
    groupArrayIf(g.last_opened_at, g.is_open) AS open_last
FROM (
    SELECT
        a.rule AS rule,
        a.group_id AS group_id,
        countIf(a.state = 'open') > 0 AS is_open,
        max(a.opened_at) AS last_opened_at
    FROM alerts AS a FINAL
    WHERE a.rule IN {rules:Array(String)}
    GROUP BY a.rule, a.group_id
) AS g
GROUP BY g.rule
