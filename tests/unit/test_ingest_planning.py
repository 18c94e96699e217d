"""Which ranges a run asks for: no gap between history and now, whatever happened before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from powersense.errors import ConfigurationError
from powersense.ingest.history import urls_for
from powersense.ingest.planning import after_long_outage, live_jobs, month_in_turn, plan_reconciliation, yearly_jobs
from powersense.settings import get_settings
from powersense.sources.catalogue import get_source
from powersense.window import Window

NOW = datetime(2026, 7, 15, 10, 5, tzinfo=UTC)
RUN = Window(NOW - timedelta(minutes=5), NOW)
LIVE, HISTORY = get_source("national_realtime"), get_source("national_consolidated")


def spans(jobs):
    return [(datetime.fromisoformat(job["start"]), datetime.fromisoformat(job["end"])) for job in jobs]


def is_gapless(ranges):
    return all(before[1] == after[0] for before, after in pairwise(ranges))


def test_without_a_backlog_the_last_day_is_asked_for_once():
    assert spans(live_jobs(LIVE, newest=NOW - timedelta(minutes=20), window=RUN)) == [(NOW - timedelta(hours=24), NOW)]


@pytest.mark.parametrize("days", [1.5, 3, 16, 17, 40, 61])
def test_after_an_outage_everything_since_the_newest_instant_is_asked_for(days):
    newest = NOW - timedelta(days=days)
    ranges = spans(live_jobs(LIVE, newest=newest, window=RUN))
    assert ranges[0][0] == newest
    assert ranges[-1][1] == NOW
    assert is_gapless(ranges)
    assert max(end - start for start, end in ranges) <= timedelta(days=16)
    assert after_long_outage(HISTORY, newest=newest, end=NOW) == []


@pytest.mark.parametrize("days", [63, 200, 900])
def test_an_outage_longer_than_real_time_reaches_is_closed_by_history(days):
    newest = NOW - timedelta(days=days)
    history = spans(after_long_outage(HISTORY, newest=newest, end=NOW))
    live = spans(live_jobs(LIVE, newest=newest, window=RUN))
    assert history[0][0] == newest
    assert history[-1][1] == NOW
    assert is_gapless(history)
    assert live[0][0] == NOW - timedelta(days=LIVE.retention_days)


def test_the_jobs_of_an_outage_keep_their_names_until_something_newer_is_stored():
    newest = NOW - timedelta(days=400)
    names = [
        [job["job_id"] for job in after_long_outage(HISTORY, newest=newest, end=end)]
        for end in (NOW, NOW + timedelta(minutes=5))
    ]
    assert names[0] == names[1]


def test_with_nothing_stored_all_of_real_time_is_asked_for():
    ranges = spans(live_jobs(LIVE, newest=None, window=Window(NOW - timedelta(days=1), NOW, is_explicit=True)))
    assert ranges[0][0] == NOW - timedelta(days=LIVE.retention_days)
    assert is_gapless(ranges)


def test_an_explicit_range_is_asked_for_as_it_is():
    asked = Window(NOW - timedelta(hours=2), NOW, is_explicit=True)
    assert spans(live_jobs(LIVE, newest=NOW, window=asked)) == [(asked.start, asked.end)]


def test_history_is_one_job_a_year_up_to_now(monkeypatch):
    monkeypatch.setenv("HISTORY_START_YEAR", "2024")
    get_settings.cache_clear()
    jobs = yearly_jobs(HISTORY, end=NOW)
    get_settings.cache_clear()
    assert [job["job_id"] for job in jobs] == [f"history:national_consolidated:{year}" for year in (2024, 2025, 2026)]
    assert is_gapless(spans(jobs))
    assert spans(jobs)[-1][1] == NOW


def test_a_scheduled_reconciliation_reads_sixty_days_and_one_earlier_month():
    jobs = plan_reconciliation(Window(NOW - timedelta(days=1), NOW), run_type="scheduled")
    history = [span for job, span in zip(jobs, spans(jobs), strict=True) if job["source_id"] == "national_consolidated"]
    assert (NOW - timedelta(days=60), NOW) == (history[0][0], history[1][1])
    assert history[2] == month_in_turn(NOW)
    assert {job["source_id"] for job in jobs} >= {"regional_consolidated", "national_realtime", "regional_realtime"}


@pytest.mark.parametrize("run_type", ["backfill_job", "manual"])
def test_a_backfill_reads_exactly_its_interval(run_type):
    interval = Window(datetime(2020, 3, 28, tzinfo=UTC), datetime(2020, 3, 29, tzinfo=UTC))
    assert set(spans(plan_reconciliation(interval, run_type=run_type))) == {(interval.start, interval.end)}


def test_each_of_the_thirty_six_months_gets_its_turn_within_thirty_eight_days():
    months = {month_in_turn(NOW + timedelta(days=day))[0] for day in range(38)}
    assert len(months) >= 36
    assert max(months) <= NOW - timedelta(days=30)


def test_files_replace_the_portal_for_the_areas_they_speak_of():
    template = (
        "https://x/eCO2mix_RTE_Annuel-Definitif_{year}.zip https://x/eCO2mix_RTE_{area}_Annuel-Definitif_{year}.zip"
    )
    assert urls_for(HISTORY, 2014, template) == ["https://x/eCO2mix_RTE_Annuel-Definitif_2014.zip"]
    regional = urls_for(get_source("regional_consolidated"), 2014, template)
    assert len(regional) == 12
    assert "https://x/eCO2mix_RTE_PACA_Annuel-Definitif_2014.zip" in regional
    assert "https://x/eCO2mix_RTE_Auvergne-Rhone-Alpes_Annuel-Definitif_2014.zip" in regional
    assert urls_for(HISTORY, 2014, None) == []


@pytest.mark.parametrize(
    "template", ["https://x/all.zip", "https://x/{year}_{month}.zip"], ids=["no year", "unknown field"]
)
def test_a_template_that_cannot_be_filled_is_refused_by_name(template):
    with pytest.raises(ConfigurationError, match="HISTORY_DATA_URL"):
        urls_for(HISTORY, 2014, template)
