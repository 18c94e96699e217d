"""The forecast lifecycle on the real engine: trained, stored, issued, and a ladder that never stops forecasting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from powersense import model_store
from powersense.errors import ForecastError
from powersense.forecast import ANALOGUE, CHAMPION, LAST_GOOD, LAST_WEEK, NO_MODEL, WITHOUT_WEATHER, issue
from powersense.forecasting.models import create
from powersense.quality.check import check
from powersense.settings import get_settings
from powersense.train import Outcome, roll_back, train_area
from powersense.warehouse.client import connect
from powersense.warehouse.forecast_inputs import read_inputs
from powersense.warehouse.forecasts import issued as stored_issues
from powersense.warehouse.forecasts import store_issue
from tests.services.lifecycle_data import (
    AREA,
    LONG_AGO,
    NOW,
    load,
    put_load,
    put_weather,
    put_weather_forecast,
)
from tests.services.scoring_data import insert, table

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRAINED = NOW - 2 * HOUR
QUANTILES = ["q025_mw", "q100_mw", "q250_mw", "q500_mw", "q750_mw", "q900_mw", "q975_mw"]

pytestmark = pytest.mark.usefixtures("warehouse")


@pytest.fixture(autouse=True)
def folder(warehouse, tmp_path, monkeypatch) -> Path:
    """An empty model store."""
    monkeypatch.setenv("MODEL_STORE_URL", f"file://{tmp_path}")
    monkeypatch.setenv("FORECAST_TRAIN_YEARS", "2")
    get_settings.cache_clear()
    return tmp_path


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


def issued(area: str = AREA, *, at: datetime = NOW) -> pd.DataFrame:
    """Return the rows of an issue, after checking that it is whole: 336 half-hours, with quantiles that rise."""
    query = "SELECT * FROM forecasts WHERE area = {area:String} AND issued_at = {at:DateTime('UTC')} ORDER BY target_at"
    found = table(query, area=area, at=at)
    assert list(found["target_at"]) == list(pd.date_range(at, periods=336, freq="30min"))
    assert list(found["lead_minutes"]) == list(range(0, 336 * 30, 30))
    quantiles = found[QUANTILES].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    return found


def facts(found: pd.DataFrame) -> dict[str, Any]:
    """Return what all rows of an issue share."""
    names = ["model_id", "model", "fallback_level", "fallback_reason", "vintage", "load_age_minutes"]
    (row,) = found[[*names, "weather_age_minutes"]].drop_duplicates().to_dict("records")
    return {str(name): value for name, value in row.items()}


def archive(outcome: Outcome, folder: Path) -> Path:
    return folder / f"{outcome['champion']}.zip"


def mape(found: pd.DataFrame, *, hours: int = 48) -> float:
    came = load(NOW, NOW + timedelta(hours=hours)).set_index("observed_at")["value"]
    middle = found.set_index("target_at")["q500_mw"].reindex(came.index)
    return float((middle / came - 1).abs().mean())


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


def test_a_cold_start_forecasts_by_the_analogue_and_says_so():
    put_load(start=NOW - 60 * DAY)
    issue([AREA], issued_at=NOW, run_id="one")
    found = issued()
    assert facts(found) | {"load_age_minutes": 30} == facts(found)
    assert (facts(found)["fallback_level"], facts(found)["fallback_reason"]) == (ANALOGUE, NO_MODEL)
    assert mape(found) < 0.15


@pytest.mark.parametrize(("days", "level"), [(12, ANALOGUE), (3, LAST_WEEK)])
def test_some_days_of_load_are_enough_to_forecast(days, level):
    put_load(start=NOW - days * DAY)
    issue([AREA], issued_at=NOW, run_id="one")
    found = issued()
    assert facts(found)["fallback_level"] == level
    assert mape(found) < 0.3


def test_without_any_load_nothing_is_issued_and_the_count_says_so():
    counts = issue([AREA], issued_at=NOW, run_id="one")
    assert (counts["areas_without_load"], counts["rows_stored"]) == (1, 0)


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


@pytest.mark.parametrize(("margin", "action", "model"), [("0.02", "promote", "gam"), ("0.9", "keep", None)])
def test_a_challenger_is_promoted_only_by_the_margin(monkeypatch, margin, action, model):
    put_load()
    first = train_area(AREA, now=TRAINED, run_id="first", kind="full")
    assert "gam_without_weather" in first["champion"]
    put_weather()
    monkeypatch.setenv("FORECAST_PROMOTION_MARGIN", margin)
    get_settings.cache_clear()
    second = train_area(AREA, now=TRAINED + HOUR, run_id="second", kind="full")
    assert second["action"] == action
    decision = table("SELECT * FROM model_decisions FINAL ORDER BY decided_at DESC LIMIT 1").iloc[0]
    assert decision["previous_model_id"] == first["champion"]
    assert decision["champion_mape"] > decision["challenger_mape"]
    assert decision["margin"] == float(margin)
    assert (model or "gam_without_weather") in decision["model_id"]


def test_training_again_in_one_run_leaves_one_model_and_one_decision(champion):
    again = train_area(AREA, now=TRAINED, run_id="first", kind="full")
    assert again["champion"] == champion["champion"]
    assert len(table("SELECT * FROM models FINAL WHERE model = 'gam'")) == 1


def test_too_short_a_history_trains_nothing_and_says_why():
    put_load(start=NOW - 20 * DAY)
    outcome = train_area(AREA, now=NOW, run_id="first")
    assert (outcome["action"], outcome["champion"], outcome["models_trained"]) == ("none", "", 0)
    assert "20 days" in outcome["reason"]


def test_real_time_is_lifted_to_the_level_of_later_vintages():
    final = load(NOW - 60 * DAY, NOW - 30 * DAY)
    insert(final, vintage="consolidated")
    insert(load(NOW - 60 * DAY, NOW).assign(value=lambda rows: rows["value"] * 0.97), vintage="realtime")
    with connect("reader") as client:
        inputs = read_inputs(client, [AREA], issued_at=NOW, days=40)[AREA]
        raw = read_inputs(client, [AREA], issued_at=NOW, days=40, up_to_vintage="realtime")[AREA]
    known = load(NOW - 40 * DAY, NOW).set_index("observed_at")["value"]
    lifted = inputs.history.load_mw.reindex(known.index)
    np.testing.assert_allclose(lifted, known, rtol=1e-6)
    assert inputs.history.vintage == "consolidated"
    np.testing.assert_allclose(raw.history.load_mw.reindex(known.index), known * 0.97, rtol=1e-6)
    assert raw.history.vintage == "realtime"


def test_quarter_hours_of_real_time_are_averaged_and_never_mixed_with_later_vintages():
    instant = pd.Timestamp(NOW - DAY)
    quarter = pd.Timedelta(minutes=15)
    rows = pd.DataFrame(
        {
            "area": AREA,
            "observed_at": [instant + step * quarter for step in range(6)],
            "value": [3000.0, 3100.0, 3200.0, 3300.0, 3300.0, 3500.0],
        }
    )
    insert(rows, vintage="realtime")
    insert(rows.iloc[[0]].assign(value=3030.0), vintage="consolidated")
    with connect("reader") as client:
        load_mw = read_inputs(client, [AREA], issued_at=NOW, days=35)[AREA].history.load_mw.dropna()
    ratio = 3030.0 / 3050.0
    np.testing.assert_allclose(load_mw.to_numpy(), [3030.0, 3250.0 * ratio, 3400.0 * ratio])


def test_hours_between_three_hourly_reports_are_known_and_longer_gaps_are_not():
    put_load(start=NOW - 40 * DAY)
    put_weather(start=NOW - 40 * DAY)
    with connect("writer") as client:
        client.command(
            "ALTER TABLE weather_observations DELETE WHERE observed_at >= {since:DateTime('UTC')} "
            "AND observed_at < {until:DateTime('UTC')} SETTINGS mutations_sync = 1",
            parameters={"since": NOW - 20 * HOUR, "until": NOW - 10 * HOUR},
        )
        weather = read_inputs(client, [AREA], issued_at=NOW, days=35)[AREA].history.weather
    assert weather is not None
    temperature_c = weather["temperature_c"]
    assert temperature_c[pd.Timestamp(NOW - 5 * HOUR) + pd.Timedelta(minutes=30)] == pytest.approx(
        (temperature_c[pd.Timestamp(NOW - 5 * HOUR)] + temperature_c[pd.Timestamp(NOW - 4 * HOUR)]) / 2
    )
    unknown = temperature_c[pd.Timestamp(NOW - 20 * HOUR) : pd.Timestamp(NOW - 10 * HOUR - timedelta(minutes=1))]
    assert unknown.isna().all()


def test_one_issue_of_several_areas_stores_each_once():
    for area in (AREA, "France"):
        put_load(start=NOW - 60 * DAY, area=area)
    counts = issue([AREA, "France", "Occitanie"], issued_at=NOW, run_id="one")
    assert (counts["areas_issued"], counts["areas_without_load"], counts["rows_stored"]) == (2, 1, 672)
    assert issued("France")["q500_mw"].mean() > 10 * issued()["q500_mw"].mean()
    assert datetime.now(UTC) - table("SELECT max(inserted_at) AS at FROM forecasts")["at"].iloc[0] < DAY


def test_a_fallback_and_silence_are_alerts_that_close():
    def alerts() -> list[tuple[str, str, str]]:
        query = (
            "SELECT rule, toString(severity) AS severity, toString(state) AS state FROM alerts FINAL "
            "WHERE rule IN ('forecast_fallback', 'stale_forecast') ORDER BY opened_at"
        )
        return list(table(query).itertuples(index=False, name=None))

    put_load(start=NOW - 60 * DAY)
    assert check(NOW, "run")["by_rule"]["stale_forecast"] == 0
    issue([AREA], issued_at=NOW, run_id="one")
    assert check(NOW, "run")["by_rule"]["forecast_fallback"] == 1
    assert alerts() == [("forecast_fallback", "critical", "open")]
    check(NOW + 4 * HOUR, "run")
    assert alerts()[1:] == [("stale_forecast", "critical", "open")]
    issue([AREA], issued_at=NOW + 4 * HOUR, run_id="two")
    check(NOW + 4 * HOUR + timedelta(minutes=15), "run")
    assert alerts()[1:] == [("stale_forecast", "critical", "closed")]
