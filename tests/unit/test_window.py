"""A run's window, for each way Airflow can make a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from powersense.errors import WindowError
from powersense.window import Window, parse_instant, window

T0 = datetime(2017, 9, 30, 12, tzinfo=UTC)
T1 = T0 + timedelta(minutes=5)


def test_conf_wins_over_the_data_interval():
    context = {
        "params": {"start": "2017-09-30T00:00:00+02:00", "end": "2017-10-01T00:00:00+02:00"},
        "data_interval_start": T0,
        "data_interval_end": T1,
    }
    got = window(context)
    assert got == Window(datetime(2017, 9, 29, 22, tzinfo=UTC), datetime(2017, 9, 30, 22, tzinfo=UTC), is_explicit=True)


def test_a_scheduled_run_gets_its_interval():
    assert window({"params": {}, "data_interval_start": T0, "data_interval_end": T1}) == Window(T0, T1)


def test_a_zero_length_interval_falls_back_to_the_logical_date():
    got = window({"data_interval_start": T0, "data_interval_end": T0, "logical_date": T1})
    assert got == Window(T1, T1)
    assert got.is_empty


def test_an_asset_triggered_run_works_as_of_run_after():
    assert window({"dag_run": SimpleNamespace(run_after=T1)}) == Window(T1, T1)


def test_end_alone_names_an_instant():
    assert window({"params": {"end": "2017-10-01"}}) == Window(
        datetime(2017, 10, 1, tzinfo=UTC), datetime(2017, 10, 1, tzinfo=UTC), is_explicit=True
    )


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"start": "2017-10-01"}, "without end"),
        ({"start": "2017-10-02", "end": "2017-10-01"}, "2017-10-02.*after"),
        ({"start": "yesterday", "end": "2017-10-01"}, "start='yesterday'"),
        ({"end": 5}, "end=5"),
    ],
    ids=["only a start", "a reversed range", "no instant", "a number"],
)
def test_a_bad_range_is_refused_by_name(params, names):
    with pytest.raises(WindowError, match=names):
        window({"params": params})


def test_a_run_without_any_time_is_refused():
    with pytest.raises(WindowError, match="run_after"):
        window({})


def test_an_instant_without_offset_is_utc():
    assert parse_instant("2017-10-01T00:00:00", name="start") == datetime(2017, 10, 1, tzinfo=UTC)
