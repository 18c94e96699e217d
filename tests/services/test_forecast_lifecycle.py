"""Champions on the real engine: trained, stored, issued, rolled back, and a ladder that never stops forecasting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from powersense import model_store
from powersense.errors import ForecastError
from powersense.forecast import ANALOGUE, CHAMPION, LAST_GOOD, NO_MODEL, WITHOUT_WEATHER, issue
from powersense.forecasting.models import create
from powersense.train import Outcome, roll_back, train_area
from powersense.warehouse.client import connect
from powersense.warehouse.forecasts import issued as stored_issues
from powersense.warehouse.forecasts import store_issue
from tests.services.lifecycle_data import (
    AREA,
    DAY,
    HOUR,
    LONG_AGO,
    NOW,
    QUANTILES,
    TRAINED,
    facts,
    issued,
    load,
    mape,
    put_load,
    put_weather,
    put_weather_forecast,
    trained_on_two_years,
)
from tests.services.scoring_data import insert, table

folder = pytest.fixture(autouse=True)(trained_on_two_years)


@dataclass
class FirstTraining:
    """What the file's first training left, so that the tests after it need not train the same again."""

    outcome: Outcome
    rows: dict[str, pd.DataFrame]
    files: dict[str, bytes]
    folder: Path

    def restore(self, folder: Path) -> None:
        with connect("writer") as client:
            for name, rows in self.rows.items():
                client.insert_df(name, rows.replace(str(self.folder), str(folder), regex=True))
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def first_training() -> list[FirstTraining]:
    """Return the first training, once there is one."""
    return []


@pytest.fixture
def champion(folder, first_training) -> Outcome:
    """Two years of load and weather, a champion with weather, and a weather forecast an hour old."""
    put_load()
    put_weather()
    put_weather_forecast(run_at=NOW - HOUR)
    if first_training:
        first_training[0].restore(folder)
    else:
        outcome = train_area(AREA, now=TRAINED, run_id="first", kind="full")
        rows = {name: table(f"SELECT * FROM {name} FINAL") for name in ("models", "model_decisions")}
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        first_training.append(FirstTraining(outcome, rows, files, folder))
    return first_training[0].outcome


def archive(outcome: Outcome, folder: Path) -> Path:
    return folder / f"{outcome['champion']}.zip"


def test_what_is_trained_is_stored_and_issues_the_next_seven_days(champion, folder):
    assert (champion["action"], champion["models_trained"]) == ("promote", 2)
    counts = issue([AREA], issued_at=NOW + timedelta(minutes=11), run_id="one")
    assert (counts["areas_issued"], counts["rows_stored"], counts["areas_fallen_back"]) == (1, 336, 0)
    found = issued()
    assert facts(found) == {
        "model_id": champion["champion"],
        "model": "gam",
        "fallback_level": CHAMPION,
        "fallback_reason": "",
        "vintage": "definitive",
        "load_age_minutes": 30,
        "weather_age_minutes": 60,
    }
    assert mape(found) < 0.05
    rows = table("SELECT * FROM models FINAL ORDER BY model")
    assert list(rows["model"]) == ["gam", "gam_without_weather"]
    for row in rows.itertuples():
        file = folder / f"{row.model_id}.zip"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row.artefact_sha256
        assert (row.data_until, row.train_from) == (pd.Timestamp(TRAINED), pd.Timestamp(LONG_AGO))
        assert len(row.features) > 20
        assert 0 < json.loads(row.metrics)["mape"] < 0.1
        assert row.code_version.startswith("0.1.0+")


def test_an_hour_issued_twice_stays_as_it_was_issued(champion):
    issue([AREA], issued_at=NOW, run_id="one")
    before = issued()
    insert(load(NOW - DAY, NOW).assign(value=1.0), vintage="definitive", version=2)
    again = issue([AREA], issued_at=NOW, run_id="two")
    assert (again["areas_issued"], again["areas_issued_before"], again["rows_stored"]) == (0, 1, 0)
    pd.testing.assert_frame_equal(issued(), before)


def test_of_two_writers_of_one_issue_the_engine_keeps_the_first(champion, monkeypatch):
    issue([AREA], issued_at=NOW, run_id="one")
    before = issued()
    monkeypatch.setattr("powersense.warehouse.forecasts.issued_areas", lambda *_, **__: set())
    with connect("writer") as client:
        frame = stored_issues(client, areas=[AREA], start=NOW, end=NOW + HOUR).assign(run_id="racing")
        store_issue(client, frame.assign(q500_mw=1.0), area=AREA, issued_at=NOW)
    pd.testing.assert_frame_equal(issued(), before)


@pytest.mark.parametrize("damage", ["deleted", "cut", "foreign"])
def test_a_champion_whose_file_cannot_be_used_gives_way_to_the_last_good_model(champion, folder, damage):
    second = train_area(AREA, now=TRAINED + HOUR, run_id="second")
    assert second["action"] == "keep"
    file = archive(second, folder)
    if damage == "deleted":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.write_bytes(archive(champion, folder).read_bytes())
    issue([AREA], issued_at=NOW, run_id="one")
    found = facts(issued())
    assert (found["fallback_level"], found["model_id"]) == (LAST_GOOD, champion["champion"])
    assert second["champion"] in found["fallback_reason"]
    assert {"deleted": "missing", "cut": "checksum", "foreign": "checksum"}[damage] in found["fallback_reason"]


def test_a_model_trained_on_other_features_gives_way(champion, folder):
    file = archive(champion, folder)
    other = create("gam")
    files = model_store.load(
        f"file://{file}", sha256=hashlib.sha256(file.read_bytes()).hexdigest(), model_id=champion["champion"]
    )
    meta = json.loads(files["model.json"])
    meta["features"] = ["moon_phase", *meta["features"][1:]]
    assert other.uses_weather
    _, sha256 = model_store.save(champion["champion"], {**files, "model.json": json.dumps(meta).encode()}, model="gam")
    with connect("writer") as client:
        client.command(
            "ALTER TABLE models UPDATE artefact_sha256 = {sha:String} WHERE model_id = {id:String} "
            "SETTINGS mutations_sync = 1",
            parameters={"sha": sha256, "id": champion["champion"]},
        )
    issue([AREA], issued_at=NOW, run_id="one")
    found = facts(issued())
    assert found["fallback_level"] == WITHOUT_WEATHER
    assert "moon_phase" in found["fallback_reason"]


def test_without_any_weather_the_model_without_it_forecasts(champion):
    with connect("writer") as client:
        for name in ("weather_forecasts", "weather_observations"):
            client.command(f"TRUNCATE TABLE {name}")
    issue([AREA], issued_at=NOW, run_id="one")
    found = facts(issued())
    assert (found["fallback_level"], found["model"]) == (WITHOUT_WEATHER, "gam_without_weather")
    assert "weather" in found["fallback_reason"]
    assert pd.isna(found["weather_age_minutes"])


def test_stations_silent_for_hours_leave_the_champion_its_forecast(champion):
    with connect("writer") as client:
        client.command(
            "ALTER TABLE weather_observations DELETE WHERE observed_at >= {since:DateTime('UTC')} "
            "SETTINGS mutations_sync = 1",
            parameters={"since": NOW - 8 * HOUR},
        )
    issue([AREA], issued_at=NOW, run_id="one")
    assert facts(issued())["fallback_level"] == CHAMPION


def test_no_stored_model_can_be_read_and_the_analogue_forecasts(champion, folder):
    for file in folder.iterdir():
        file.unlink()
    issue([AREA], issued_at=NOW, run_id="one")
    found = facts(issued())
    assert (found["fallback_level"], found["model"]) == (ANALOGUE, "analogue")
    assert champion["champion"] in found["fallback_reason"]


def test_a_region_dark_for_two_days_is_forecast_and_the_age_of_its_load_said(champion):
    dark = load(NOW - 2 * DAY, NOW)
    insert(dark.assign(value=0.0), vintage="definitive", version=2)
    issue([AREA], issued_at=NOW, run_id="one")
    found = issued()
    assert (facts(found)["load_age_minutes"], facts(found)["fallback_level"]) == (2 * 24 * 60 + 30, CHAMPION)
    assert mape(found) < 0.1


def test_a_stuck_sensor_is_no_load(champion):
    insert(load(NOW - DAY, NOW).assign(value=2500.0), vintage="definitive", version=2)
    issue([AREA], issued_at=NOW, run_id="one")
    found = issued()
    assert facts(found)["load_age_minutes"] == 24 * 60 + 30
    assert mape(found) < 0.1


def test_values_stamped_in_the_future_move_no_forecast(champion):
    issue([AREA], issued_at=NOW, run_id="one")
    compared = [*QUANTILES, "load_age_minutes"]
    before = issued()[compared]
    with connect("writer") as client:
        client.command("TRUNCATE TABLE forecasts")
    insert(load(NOW, NOW + 3 * DAY).assign(value=lambda rows: rows["value"] * 1.3), vintage="definitive")
    issue([AREA], issued_at=NOW, run_id="two")
    pd.testing.assert_frame_equal(issued()[compared], before)


def test_an_issue_of_the_past_uses_no_model_of_later_days(champion):
    earlier = TRAINED - DAY
    issue([AREA], issued_at=earlier, run_id="one")
    found = facts(issued(at=earlier))
    assert (found["fallback_level"], found["fallback_reason"]) == (ANALOGUE, NO_MODEL)


def test_rolling_back_brings_the_previous_champion_until_the_next_training(champion):
    second = train_area(AREA, now=TRAINED + timedelta(minutes=30), run_id="second")
    back = roll_back(AREA, now=TRAINED + HOUR, run_id="third")
    assert (back["action"], back["champion"]) == ("rollback", champion["champion"])
    issue([AREA], issued_at=NOW, run_id="one")
    assert facts(issued())["model_id"] == champion["champion"]
    put_weather_forecast(run_at=TRAINED - HOUR)
    issue([AREA], issued_at=TRAINED + timedelta(minutes=30), run_id="before")
    assert facts(issued(at=TRAINED + timedelta(minutes=30)))["model_id"] == second["champion"]
    with pytest.raises(ForecastError, match="no champion before"):
        roll_back(AREA, now=NOW, run_id="fourth")
    actions = table("SELECT toString(action) AS action, reason FROM model_decisions FINAL ORDER BY decided_at")
    assert list(actions["action"]) == ["promote", "keep", "rollback"]
    assert actions["reason"].str.len().min() > 10


def test_training_again_in_one_run_leaves_one_model_and_one_decision(champion):
    again = train_area(AREA, now=TRAINED, run_id="first", kind="full")
    assert again["champion"] == champion["champion"]
    assert len(table("SELECT * FROM models FINAL WHERE model = 'gam'")) == 1
