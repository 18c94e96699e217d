"""Who becomes champion: by the margin only, and nobody on too short a history."""

from __future__ import annotations

import pytest

from powersense.settings import get_settings
from powersense.train import train_area
from tests.services.lifecycle_data import AREA, DAY, HOUR, NOW, TRAINED, put_load, put_weather, trained_on_two_years
from tests.services.scoring_data import table

folder = pytest.fixture(autouse=True)(trained_on_two_years)


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


def test_too_short_a_history_trains_nothing_and_says_why():
    put_load(start=NOW - 20 * DAY)
    outcome = train_area(AREA, now=NOW, run_id="first")
    assert (outcome["action"], outcome["champion"], outcome["models_trained"]) == ("none", "", 0)
    assert "20 days" in outcome["reason"]
