"""The parameters `start` and `end` keep their own values."""

from __future__ import annotations

from airflow.sdk.definitions.param import ParamsDict

from powersense.schedules import window_params


def test_a_run_s_start_and_end_do_not_overwrite_each_other() -> None:
    params = ParamsDict(window_params())
    params.update({"start": "2017-10-01", "end": "2017-10-02"})
    assert params.dump() == {"start": "2017-10-01", "end": "2017-10-02"}


def test_two_dags_share_no_parameter() -> None:
    first, second = window_params(), window_params()
    assert not {id(param) for param in first.values()} & {id(param) for param in second.values()}
