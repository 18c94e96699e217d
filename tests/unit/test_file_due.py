"""When an ingestion's run is due: ticks, missed ticks, runs under way, requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.autoloader.declarations import Declared
from powersense.autoloader.due import due_starts, last_tick, requested_starts
from powersense.files.declaration import Ingestion
from powersense.warehouse.files.runs import Standing

DECLARED_AT = datetime(2024, 3, 10, 10, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def declared(*, name="meters", schedule="0 * * * *", enabled=True):
    target = {"kind": "table", "table": name, "columns": [{"name": "a"}]}
    ingestion = Ingestion.model_validate(
        {
            "name": name,
            "uri": f"s3://bucket/{name}/*.csv",
            "format": "csv",
            "target": target,
            "schedule": schedule,
            "enabled": enabled,
        }
    )
    return Declared(ingestion, "yaml", f"{name}.yaml", DECLARED_AT)


def due(now, *, standing=None, **facts):
    one = declared(**facts)
    return due_starts([one], {one.ingestion.name: standing} if standing else {}, now=now)


@pytest.mark.parametrize(
    ("now", "tick"),
    [
        ("10:59:59", "10:00"),
        ("11:00:00", "11:00"),
        ("11:00:00.900000", "11:00"),
        ("11:00:01", "11:00"),
    ],
)
def test_the_last_tick_is_never_in_the_future_and_never_missed(now, tick):
    at = datetime.fromisoformat(f"2024-03-10T{now}+00:00")
    assert last_tick("0 * * * *", at) == datetime.fromisoformat(f"2024-03-10T{tick}+00:00")


def test_a_tick_belongs_to_utc_also_where_clocks_are_changed():
    assert last_tick("30 2 * * *", datetime(2024, 3, 31, 3, 0, tzinfo=UTC)) == datetime(2024, 3, 31, 2, 30, tzinfo=UTC)


def test_a_declaration_does_not_reach_back_before_itself():
    assert due(DECLARED_AT + timedelta(minutes=20)) == []
    (start,) = due(datetime(2024, 3, 10, 11, 0, 20, tzinfo=UTC))
    assert start["trigger_run_id"] == "scheduled__meters__20240310T1100"
    assert start["conf"] == {"ingestion": "meters", "scheduled_for": "2024-03-10T11:00:00+00:00"}


def test_a_served_tick_is_not_due_again_and_missed_ones_come_as_one():
    served = Standing(last_tick=datetime(2024, 3, 10, 11, tzinfo=UTC))
    assert due(served.last_tick + timedelta(minutes=59), standing=served) == []
    (start,) = due(served.last_tick + 5 * HOUR + timedelta(minutes=1), standing=served)
    assert start["trigger_run_id"] == "scheduled__meters__20240310T1600"


@pytest.mark.parametrize(
    "facts",
    [
        {"enabled": False},
        {"schedule": ""},
        {"standing": Standing(last_tick=DECLARED_AT, is_running=True)},
    ],
    ids=["not enabled", "no schedule", "a run is under way"],
)
def test_nothing_is_due_where_nothing_may_run(facts):
    assert due(DECLARED_AT + 5 * HOUR, **facts) == []


def test_a_request_names_its_run():
    request = {"request_id": "ab12", "ingestion": "meters", "is_dry_run": 1}
    assert requested_starts([request]) == [
        {
            "trigger_run_id": "requested__ab12",
            "conf": {"ingestion": "meters", "dry_run": True, "request_id": "ab12"},
        }
    ]
