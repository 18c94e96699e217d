"""Landing frames as Arrow tables, overlap of landings, session settings of the roles. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isnan

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.contracts import LANDING_COLUMNS
from powersense.settings import Settings
from powersense.warehouse.client import session_settings_for
from powersense.warehouse.landing import landing_table
from powersense.warehouse.landing_log import EPOCH, Extent

NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
EXTENT = Extent(
    landing_id="l",
    batch_id="b",
    row_count=1,
    metrics=["consommation"],
    places=["France", "Bretagne"],
    vintages=["realtime"],
    publishers=["rte"],
    observed_from=NOON,
    observed_to=NOON + timedelta(hours=1),
    retrieved_from=NOON,
    retrieved_to=NOON,
    newest_observed_at=None,
)


def frame(**columns):
    facts = {
        "metric": "consommation",
        "area": "France",
        "observed_at": pd.to_datetime(["2017-09-30T14:00+02:00"], utc=True),
        "vintage": "realtime",
        "publisher": "rte",
        "value": [1.5],
        "source": "s",
        "retrieved_at": pd.to_datetime(["2017-09-30T12:00:00.123999Z"], utc=True),
        "run_id": "r",
    }
    return pd.DataFrame(facts | columns)


@pytest.mark.parametrize(
    "other",
    [
        replace(EXTENT, places=["Occitanie"]),
        replace(EXTENT, metrics=["nucleaire"]),
        replace(EXTENT, vintages=["definitive"]),
        replace(EXTENT, publishers=["powersense"]),
        replace(EXTENT, observed_from=NOON + timedelta(hours=2), observed_to=NOON + timedelta(hours=3)),
        replace(EXTENT, metrics=[], places=[], observed_from=EPOCH, observed_to=EPOCH),
    ],
    ids=["area", "metric", "vintage", "publisher", "time", "empty"],
)
def test_landings_that_differ_in_any_part_share_no_key(other):
    assert not EXTENT.overlaps(other)
    assert not other.overlaps(EXTENT)


def test_landings_that_touch_in_one_instant_may_share_a_key():
    after = replace(EXTENT, places=["Bretagne"], observed_from=EXTENT.observed_to, observed_to=NOON + timedelta(days=1))
    assert EXTENT.overlaps(after)
    assert after.overlaps(EXTENT)


def test_a_frame_of_any_zone_and_text_type_lands_the_same():
    paris = frame(observed_at=frame()["observed_at"].dt.tz_convert("Europe/Paris"))
    texts = frame().astype({"metric": "category", "area": "object", "vintage": "string"})
    expected = landing_table(frame())
    assert landing_table(paris).equals(expected)
    assert landing_table(texts).equals(expected)
    assert expected.column_names == list(LANDING_COLUMNS)
    assert expected["observed_at"].to_pylist() == [NOON]
    assert expected["retrieved_at"].to_pylist() == [NOON + timedelta(milliseconds=123)]


@given(st.lists(st.one_of(st.none(), st.floats(allow_infinity=False)), min_size=1))
def test_values_land_as_they_are_and_nan_as_null(values):
    rows = pd.concat([frame()] * len(values), ignore_index=True).assign(value=pd.Series(values, dtype="float64"))
    landed = landing_table(rows)["value"].to_pylist()
    assert landed == [None if value is None or isnan(value) else value for value in values]


def test_a_frame_without_rows_has_the_columns_of_one_with():
    assert landing_table(frame().iloc[:0]).schema.names == list(LANDING_COLUMNS)


def test_only_a_cluster_asks_for_quorum_and_only_writers_insert():
    one_node, cluster = Settings(clickhouse_cluster=""), Settings(clickhouse_cluster="grid")
    assert session_settings_for("reader", one_node) == {}
    assert session_settings_for("reader", cluster) == {"select_sequential_consistency": 1}
    assert "insert_quorum" not in session_settings_for("writer", one_node)
    assert session_settings_for("writer", cluster)["insert_quorum"] == "auto"
    assert session_settings_for("writer", cluster)["insert_quorum_parallel"] == 0
    assert session_settings_for("writer", one_node)["async_insert"] == 0
