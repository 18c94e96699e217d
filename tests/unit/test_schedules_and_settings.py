"""Schedules and settings come from the environment, and a bad value is named."""

from __future__ import annotations

import pytest

from powersense.errors import ConfigurationError
from powersense.schedules import cron, every_ingest_interval
from powersense.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def fresh_settings():
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_the_default_ingestion_runs_on_five_minute_marks(monkeypatch):
    monkeypatch.delenv("INGEST_INTERVAL_SECONDS", raising=False)
    assert every_ingest_interval().expression == "*/5 * * * *"


def test_an_interval_that_does_not_divide_the_hour_is_a_delta(monkeypatch):
    monkeypatch.setenv("INGEST_INTERVAL_SECONDS", "420")
    assert every_ingest_interval().delta.total_seconds() == 420


def test_schedules_off_leaves_triggers_only(monkeypatch):
    monkeypatch.setenv("POWERSENSE_SCHEDULES", "off")
    assert cron("*/15 * * * *") is None
    assert every_ingest_interval() is None


@pytest.mark.parametrize("value", ["soon", "59", "1e3", "-300"])
def test_a_bad_interval_is_named_with_its_value(monkeypatch, value):
    monkeypatch.setenv("INGEST_INTERVAL_SECONDS", value)
    with pytest.raises(ConfigurationError, match=f"INGEST_INTERVAL_SECONDS='{value}'"):
        every_ingest_interval()


def test_a_bad_setting_is_named_with_its_value_and_remedy(monkeypatch):
    monkeypatch.setenv("SCORE_THRESHOLD", "-1")
    with pytest.raises(ConfigurationError, match=r"SCORE_THRESHOLD='-1'.*\.env"):
        get_settings()


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Settings().clickhouse_database = "other"  # type: ignore[misc]
