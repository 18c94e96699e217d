"""What is public at the recording's clock, on the bundled sample."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from powersense.calendar import PARIS
from powersense.local.replay.clock import Clock
from powersense.local.replay.publication import Publication
from powersense.local.replay.query import Query, choose
from powersense.local.replay.recording import open_recording
from powersense.local.replay.rendering import rows_of
from powersense.local.replay.server import BUNDLED_SAMPLE

NATIONAL = "eco2mix-national-tr"
VALUES = ("consommation", "nucleaire", "taux_co2", "ech_physiques")


def published(clock: str, *, shift_days: int | None = 0) -> Publication:
    return Publication.of(open_recording(BUNDLED_SAMPLE), clock=Clock(clock), shift_days=shift_days)


def rows(publication: Publication, dataset: str, where: str = "date_heure is not null") -> list[dict[str, Any]]:
    query = Query(where=[where], order_by=["date_heure"], zone=PARIS, limit=None)
    return rows_of(choose(publication.view(dataset), query), PARIS)


def test_a_step_is_filled_when_it_is_over_and_blank_while_it_lasts() -> None:
    by_time = {row["date_heure"]: row for row in rows(published("2017-10-05T12:14:59+02:00"), NATIONAL)}
    filled, lasting = by_time["2017-10-05T11:45:00+02:00"], by_time["2017-10-05T12:00:00+02:00"]
    assert all(filled[name] is not None for name in VALUES)
    assert all(lasting[name] is None for name in VALUES)
    assert lasting["prevision_j1"] is not None
    assert lasting["prevision_j"] is not None
    assert (lasting["perimetre"], lasting["nature"], lasting["heure"]) == ("France", "Données temps réel", "12:00")


def test_the_blank_row_is_filled_when_the_clock_moves_on() -> None:
    publication = published("2017-10-05T12:00:00+02:00")
    at_noon = "date_heure = date'2017-10-05T12:00:00+02:00'"
    assert rows(publication, NATIONAL, at_noon)[0]["consommation"] is None
    publication.clock.set("2017-10-05T12:15:00+02:00")
    assert rows(publication, NATIONAL, at_noon)[0]["consommation"] == 55889


@pytest.mark.parametrize("dataset", [NATIONAL, "eco2mix-regional-tr"])
def test_real_time_lists_rows_to_the_end_of_tomorrow_and_fills_none_of_the_future(dataset: str) -> None:
    clock = datetime.fromisoformat("2017-10-05T12:07:00+02:00")
    listed = rows(published(clock.isoformat()), dataset)
    assert max(row["date_heure"] for row in listed) == "2017-10-06T23:45:00+02:00"
    newest = max(datetime.fromisoformat(row["date_heure"]) for row in listed if row["consommation"] is not None)
    assert newest == datetime.fromisoformat("2017-10-05T11:45:00+02:00")
    tomorrow = [row for row in listed if row["date"] == "2017-10-06"]
    assert len(tomorrow) == 96 * (1 if dataset == NATIONAL else 12)
    assert {row.get("prevision_j") for row in tomorrow} == {None}


@pytest.mark.parametrize(
    ("clock", "last_day"), [("2017-10-14T23:59", "2017-08-31"), ("2017-10-15T00:00", "2017-09-30")]
)
def test_a_consolidated_month_appears_on_the_fifteenth_of_the_next(clock: str, last_day: str) -> None:
    for dataset in ("eco2mix-national-cons-def", "eco2mix-regional-cons-def"):
        assert max(row["date"] for row in rows(published(clock), dataset, "date >= '2017-08-01'")) == last_day


def test_everything_is_public_long_after_the_recording() -> None:
    publication = published("2020-01-01T00:00+01:00")
    assert len(publication.view(NATIONAL)) == 44 * 96
    assert len(publication.view("eco2mix-regional-tr")) == 12 * 43 * 96
    assert len(publication.view("eco2mix-regional-cons-def")) == 10 * 334 * 48
    assert len(publication.view("eco2mix-national-cons-def")) == (366 + 365) * 96


def test_the_automatic_shift_puts_the_incident_one_to_seven_days_back() -> None:
    for hour in range(0, 24 * 7, 7):
        now = datetime(2026, 11, 22, 1, tzinfo=UTC) + timedelta(hours=hour)
        publication = published(now.isoformat(), shift_days=None)
        incident = date(2017, 9, 30) + timedelta(days=publication.shift_days)
        assert incident.weekday() == 5
        assert 1 <= (now.astimezone(PARIS).date() - incident).days <= 7
        assert publication.recorded_wall.weekday() == now.astimezone(PARIS).weekday()


def test_shifted_rows_keep_their_wall_clock_and_values() -> None:
    shift_days = 2968
    original = rows(published("2017-10-05T12:00"), NATIONAL)
    clock = datetime.fromisoformat("2017-10-05T12:00") + timedelta(days=shift_days)
    moved = rows(published(clock.isoformat(), shift_days=shift_days), NATIONAL)
    assert [row["consommation"] for row in moved] == [row["consommation"] for row in original]
    for before, after in zip(original[:: 96 * 3], moved[:: 96 * 3], strict=True):
        assert date.fromisoformat(after["date"]) - date.fromisoformat(before["date"]) == timedelta(days=shift_days)
        assert after["heure"] == before["heure"] == after["date_heure"][11:16]


def test_a_shift_onto_a_clock_change_stamps_rows_as_the_portal_would() -> None:
    # 2017-09-24 + 2737 days = 2025-03-23; one week more is the last Sunday of March 2025.
    shift_days = (date(2025, 3, 30) - date(2017, 9, 24)).days
    assert shift_days % 7 == 0
    changed = rows(published("2025-04-05T00:00", shift_days=shift_days), NATIONAL, "date = '2025-03-30'")
    assert len(changed) == 96
    stamps = [row["date_heure"] for row in changed]
    assert len(set(stamps)) == 92
    ghosts = [row for row in changed if row["heure"][:2] == "02"]
    assert {row["date_heure"][11:] for row in ghosts} == {
        f"03:{minute}:00+02:00" for minute in ("00", "15", "30", "45")
    }


def test_the_recordings_own_spring_change_has_ghosts_that_contradict() -> None:
    ghosts = rows(published("2018-01-20T00:00"), "eco2mix-regional-cons-def", "date = '2017-03-26' and heure < '04:00'")
    bretagne = [row for row in ghosts if row["libelle_region"] == "Bretagne"]
    assert [row["heure"] for row in bretagne if row["date_heure"] == "2017-03-26T03:00:00+02:00"] == ["02:00", "03:00"]


def test_the_recording_runs_out_after_its_last_load() -> None:
    publication = published("2017-10-05T12:00")
    assert publication.runs_out_at == datetime(2017, 10, 13, 9, 15, tzinfo=UTC)
