-- What each series has, beside its rows, in the parts that hold them: docs/adr/0010-a-projection-tells-the-series.md
-- Rows that a merge removes say what the one kept says, and each state below takes a thing said twice as once: `ignore`.
ALTER TABLE ${database}.measurements ${on_cluster}
    MODIFY SETTING deduplicate_merge_projection_mode = 'ignore', lightweight_mutation_projection_mode = 'rebuild';

-- For api_series.sql and api_latest.sql, which use these very expressions. The set holds instants as (second of the
-- quarter-hour, number of the quarter-hour), so that a year of a series is a dense stretch of bits; one-to-one until 2106.
ALTER TABLE ${database}.measurements ${on_cluster} ADD PROJECTION IF NOT EXISTS series_instants
(
    SELECT
        metric,
        area,
        vintage,
        minOrNullIf(observed_at, isNotNull(value)),
        maxOrNullIf(observed_at, isNotNull(value)),
        groupBitmapIf(
            toUInt32(toUInt32(observed_at) % 900 * 4772186 + intDiv(toUInt32(observed_at), 900)), isNotNull(value)
        )
    GROUP BY metric, area, vintage
);

-- In the background. Until then, parts without it are read by their rows: an answer is right at any time.
ALTER TABLE ${database}.measurements ${on_cluster} MATERIALIZE PROJECTION series_instants;
