"""The local stack leads weather ingestion to the replay in the demo, and to the publishers otherwise."""

from __future__ import annotations

import json
from pathlib import Path

from powersense.settings import Settings
from tests.unit.test_local_airflow_env import environment

VARIABLES = ("METEO_HOURLY_URL", "SYNOP_URL", "WEATHER_FORECAST_URL")


def test_the_demo_asks_the_replay_with_a_key_of_its_own(tmp_path: Path) -> None:
    outside = dict.fromkeys(VARIABLES, "https://example.org")
    demo = environment(tmp_path, "demo", REPLAY_PORT="18190", **outside)
    assert all(demo[name].startswith("http://127.0.0.1:18190/") for name in VARIABLES)
    connection = json.loads(demo["AIRFLOW_CONN_METEO_FRANCE_DEFAULT"])
    assert connection["host"] == "http://127.0.0.1:18190/meteofrance"
    assert connection["password"]


def test_the_live_stack_asks_the_publishers_and_has_no_key_by_itself(tmp_path: Path) -> None:
    live = environment(tmp_path, "live")
    assert not set(VARIABLES) & set(live)
    assert Settings().synop_url.startswith("https://donneespubliques.meteofrance.fr/")
    connection = json.loads(live["AIRFLOW_CONN_METEO_FRANCE_DEFAULT"])
    assert connection["host"] == "https://public-api.meteofrance.fr"
    assert "password" not in connection


def test_a_key_of_the_environment_reaches_the_live_stack_and_not_the_demo(tmp_path: Path) -> None:
    own = json.dumps({"conn_type": "http", "host": "https://public-api.meteofrance.fr", "password": "my-key"})
    assert (
        environment(tmp_path, "live", AIRFLOW_CONN_METEO_FRANCE_DEFAULT=own)["AIRFLOW_CONN_METEO_FRANCE_DEFAULT"] == own
    )
    demo = environment(tmp_path, "demo", AIRFLOW_CONN_METEO_FRANCE_DEFAULT=own)
    assert "my-key" not in demo["AIRFLOW_CONN_METEO_FRANCE_DEFAULT"]
