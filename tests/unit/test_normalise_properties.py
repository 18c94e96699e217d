"""Whatever comes in, nothing disappears, and the order of records does not matter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from powersense.calendar import describe
from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise

LIVE, FILES = get_source("regional_realtime"), get_source("rte_files")
NOW = datetime(2022, 7, 1, tzinfo=UTC)
START = datetime(2022, 6, 30, 22, 0, tzinfo=UTC)

published = st.one_of(
    st.none(),
    st.integers(-300_000, 300_000),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(["ND", "-", "", "12,5", "7", "n/a", "abc", True]),
)
instants = st.one_of(
    st.integers(0, 20).map(lambda step: (START + timedelta(minutes=15 * step)).isoformat()),
    st.sampled_from([None, "", "soon", "2022-03-27T03:00:00+02:00", "2022-06-30T10:00:00"]),
)
records = st.fixed_dictionaries(
    {
        "date_heure": instants,
        "libelle_region": st.sampled_from(["Bretagne", "PACA", "Atlantide", None]),
        "nature": st.sampled_from(["Données temps réel", "Données consolidées", "?", None]),
        "date": st.sampled_from(["2022-03-27", "2022-07-01", None]),
        "heure": st.sampled_from(["02:00", "03:00", "00:15", None, "x"]),
        "consommation": published,
        "thermique": published,
    },
    optional={"prevision_j": published, "nouveau": published},
)


def run(rows, source=LIVE):
    return normalise(pd.DataFrame(rows), source, retrieved_at=NOW, run_id="r")


@settings(max_examples=60, deadline=None)
@given(st.lists(records, min_size=1, max_size=12))
def test_every_cell_ends_in_exactly_one_place(rows):
    outcome = run(rows)
    counts = outcome.counts
    assert counts.records == len(rows)
    assert counts.cells == counts.cells_landed + counts.cells_absent + counts.cells_collapsed + counts.cells_quarantined
    assert len(outcome.measurements) == counts.cells_landed
    keys = ["metric", "area", "observed_at", "vintage", "publisher"]
    assert not outcome.measurements.duplicated(keys).any()
    whole = outcome.quarantined["reason"].isin(
        ["missing_key", "bad_instant", "ghost_hour", "unknown_area", "unknown_vintage", "contradicting_duplicate"]
    )
    words = (outcome.quarantined["reason"] == "unknown_column").sum()
    metrics = counts.cells // counts.records
    assert whole.sum() * metrics + (~whole).sum() - words == counts.cells_quarantined


@settings(max_examples=40, deadline=None)
@given(st.lists(records, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(rows, shuffler):
    shuffled = list(rows)
    shuffler.shuffle(shuffled)

    def stored(outcome):
        frame = outcome.measurements.astype({"metric": str, "area": str, "vintage": str})
        return sorted(map(str, frame[["metric", "area", "observed_at", "vintage", "value"]].values.tolist()))

    first, second = run(rows), run(shuffled)
    assert stored(first) == stored(second)
    assert sorted(first.quarantined["reason"]) == sorted(second.quarantined["reason"])


@settings(max_examples=60, deadline=None)
@given(st.dates(date(2012, 1, 1), date(2030, 12, 31)) | st.sampled_from([date(2018, 3, 25), date(2018, 10, 28)]))
def test_a_local_day_of_a_file_gives_as_many_quarters_as_it_has_hours_at_most(day):
    rows = [
        {
            "perimetre": "France",
            "nature": "Données définitives",
            "date": day.isoformat(),
            "heure": f"{minutes // 60:02d}:{minutes % 60:02d}",
            "consommation": 50_000 + minutes,
        }
        for minutes in range(0, 1440, 15)
    ]
    outcome = normalise(pd.DataFrame(rows), FILES, retrieved_at=datetime(2031, 1, 1, tzinfo=UTC), run_id="r")
    known = describe(day)
    # 23 hours: the ghost hour goes; 25 hours: RTE publishes 24 of them.
    assert len(outcome.measurements) == min(known.hours, 24) * 4
    assert outcome.measurements["observed_at"].is_unique
    assert outcome.measurements["observed_at"].min() == known.start_utc
    assert outcome.measurements["observed_at"].max() == known.end_utc - timedelta(minutes=15)
    assert len(outcome.quarantined) == (4 if known.hours == 23 else 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.sampled_from(["ND", "-", ""]), min_size=1, max_size=8))
def test_all_missing_input_is_null_rows_and_no_error(blanks):
    rows = [
        {
            "date_heure": (START + timedelta(minutes=15 * step)).isoformat(),
            "libelle_region": "Bretagne",
            "nature": "Données temps réel",
            "consommation": blank,
        }
        for step, blank in enumerate(blanks)
    ]
    outcome = run(rows)
    assert outcome.measurements["value"].isna().all()
    assert len(outcome.measurements) == len(rows)
    assert outcome.quarantined.empty
