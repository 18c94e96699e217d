"""Episodes, alerts, quality and scorecard in a real browser: each function clicked, on wide and narrow screens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from powersense.warehouse.client import connect
from tests.browser import operations_data
from tests.browser.conftest import SCREENSHOTS
from tests.browser.legibility import FAINT, WIDE, keys_needed
from tests.browser.operations_data import DARK, HOSTILE

EPISODE = "#/episodes/dark-bretagne"
VIEWS = {
    "episodes": "#/episodes",
    "episode": EPISODE,
    "thresholds": "#/episodes/thresholds",
    "alerts": "#/alerts",
    "alert": "#/alerts/{group}",
    "silences": "#/alerts/silences",
    "quality": "#/quality",
    "runs": "#/quality/runs",
    "quarantine": "#/quality/quarantine",
    "models": "#/quality/models",
    "scorecard": "#/scorecard",
}


@pytest.fixture(scope="module")
def incident(module_warehouse):
    operations_data.fill(module_warehouse.marts_database)
    return module_warehouse


def row(page: Page, text: str):
    return page.get_by_role("row").filter(has_text=text)


def stored(statement: str) -> list[tuple[Any, ...]]:
    with connect("reader") as client:
        return list(client.query(statement).result_rows)


def group_of(rule: str) -> str:
    ((group,),) = stored(f"SELECT DISTINCT group_id FROM alerts FINAL WHERE rule = '{rule}'")
    return str(group)


def test_an_episode_is_explained_labelled_and_the_label_taken_back(visitor, incident):
    page = visitor().open("#/episodes")
    expect(page).to_have_title("Episodes · PowerSense")
    expect(page.get_by_role("row")).to_have_count(5)
    expect(row(page, "Normandie")).to_contain_text(HOSTILE)
    expect(row(page, "Bretagne")).to_contain_text("−2,300 MW")
    expect(row(page, "France")).to_contain_text("▲")
    page.get_by_role("link", name="Bretagne").click()
    expect(page.locator(".chart circle.flag")).to_have_count(24 + 1)
    plot = page.get_by_role("slider", name="Instants of the curve")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"Load 200.MW .* z\s=\s−20"))
    plot.focus()
    page.keyboard.press("Home")
    expect(page.locator(".readout")).to_contain_text("z = +0.2")
    page.keyboard.press("ArrowRight")
    expect(plot).to_have_attribute("aria-valuenow", "1")

    page.get_by_text("False alarm").click()
    page.get_by_label("Comment").fill(HOSTILE)
    page.get_by_role("button", name="Save label").click()
    expect(page.get_by_text("Labelled. The next scoring heeds it.")).to_be_visible()
    expect(page.locator("h1 + .badges")).to_contain_text("False alarm")
    expect(page.locator(".timeline")).to_contain_text(HOSTILE)
    newest = "SELECT label, comment, author FROM episode_labels WHERE episode_id = 'dark-bretagne' ORDER BY labelled_at"
    assert stored(newest) == [("false_alarm", HOSTILE, "write")]
    page.get_by_role("link", name="Episodes", exact=True).last.click()
    page.get_by_role("button", name="False alarm").click()
    expect(page.get_by_role("row")).to_have_count(2)

    page.get_by_role("link", name="Widened bands").click()
    expect(row(page, "Bretagne")).to_contain_text("× 1.20")
    row(page, "Bretagne").get_by_role("button", name="Take back").click()
    expect(page.get_by_text("No band is widened")).to_be_visible()
    assert [label for label, *_ in stored(newest)] == ["false_alarm", "none"]
    assert page.locator("main img, main b").count() == 0


def test_several_episodes_are_labelled_at_once(visitor, incident):
    page = visitor().open("#/episodes")
    for area in DARK[1:]:
        page.get_by_role("checkbox", name=f"Choose the episode of {area}").check()
    bar = page.get_by_role("region", name="Chosen episodes")
    expect(bar).to_contain_text("2 chosen")
    bar.get_by_role("button", name="Label…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Data error").click()
    dialog.get_by_role("button", name="Save label").click()
    expect(page.get_by_text("Labelled 2 episodes.")).to_be_visible()
    expect(bar).to_be_hidden()
    page.get_by_role("button", name="Data error").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("Area", exact=True).select_option("Occitanie")
    expect(page.get_by_role("row")).to_have_count(2)
    assert page.url.endswith("#/episodes?label=data_error&area=Occitanie")
    page.get_by_label("Period").select_option("7 days")
    page.get_by_role("button", name="To label").click()
    expect(page.get_by_text("None fits these filters.")).to_be_visible()


def test_regions_that_went_dark_together_are_one_alert_that_somebody_takes_on(visitor, incident):
    page = visitor().open("#/alerts")
    waiting = page.locator(".figure").filter(has_text="Critical, nobody on it").locator(".value")
    expect(waiting).to_have_text("1")
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_label("Rule").select_option("Anomalous load")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Acknowledge: ").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Comment").fill("calling RTE")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged.", exact=True)).to_be_visible()
    expect(waiting).to_have_text("0")
    expect(row(page, "3 areas")).to_contain_text("by write")
    page.get_by_role("link", name="Anomalous load · 3 areas").click()
    expect(page.get_by_role("table", name="Alerts of this group").get_by_role("row")).to_have_count(4)
    history = page.locator(".timeline")
    expect(history).to_contain_text("Opened × 3")
    expect(history).to_contain_text("calling RTE")
    page.get_by_label("Comment").fill("they are on it")
    page.get_by_role("button", name="Add comment").click()
    expect(history).to_contain_text("they are on it")
    page.get_by_role("button", name="Give back").click()
    expect(page.get_by_text("It is open again.")).to_be_visible()
    acts = f"SELECT action, author FROM alert_actions WHERE group_id = '{group_of('load_anomaly')}' ORDER BY acted_at"
    assert stored(acts) == [("acknowledge", "write"), ("comment", "write"), ("unacknowledge", "write")]
    expect(page.get_by_text("docs/runbook.md#load_anomaly")).to_be_visible()


def test_a_silence_is_set_shown_and_ended(visitor, incident):
    page = visitor().open(f"#/alerts/{group_of('low_coverage')}")
    page.get_by_role("button", name="Silence").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Load has gaps")).to_be_checked()
    expect(dialog.get_by_label("Grand Est")).to_be_checked()
    dialog.get_by_label("Reason").fill("planned work")
    dialog.get_by_label("Until (UTC)").fill("2020-01-01T00:00")
    dialog.get_by_role("button", name="Silence").click()
    expect(dialog.get_by_role("alert")).to_contain_text("give an instant after")
    dialog.get_by_role("button", name="4 h", exact=True).click()
    dialog.get_by_role("button", name="Silence").click()
    expect(page.get_by_text("The silence is set.")).to_be_visible()
    expect(page.locator("h1 + .badges")).to_contain_text("Silenced")
    page.get_by_role("link", name="Alerts", exact=True).last.click()
    page.get_by_role("link", name="Silences").click()
    expect(row(page, "planned work")).to_contain_text("Load has gaps")
    page.get_by_role("button", name="End the silence “planned work”").click()
    page.get_by_role("dialog").get_by_role("button", name="End now").click()
    expect(page.get_by_text("The silence is over.")).to_be_visible()
    page.get_by_role("button", name="Active").click()
    expect(page.get_by_text("No silence")).to_be_visible()
    assert stored("SELECT reason, ended_by FROM alert_silences FINAL") == [("planned work", "write")]


def test_coverage_is_walked_through_by_keyboard_and_gaps_are_listed(visitor, incident):
    page = visitor().open("#/quality")
    grid = page.get_by_role("grid", name="Load received")
    expect(grid.get_by_role("gridcell")).to_have_count(13 * 90)
    expect(grid.locator(".cell.none")).to_have_count(1)
    grid.locator("[tabindex='0']").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".readout")).to_contain_text("France · ")
    expect(page.locator(".readout")).to_contain_text("96 of 96 values (100%)")
    page.get_by_text("3 days of areas with gaps").click()
    gaps = page.get_by_role("table", name="Days with gaps").get_by_role("row")
    expect(gaps.nth(1)).to_contain_text(re.compile("Bretagne.*0 of 96"))
    expect(gaps.nth(3)).to_contain_text(re.compile("Occitanie.*97%"))
    fresh = page.get_by_role("table", name="Freshness")
    expect(fresh.get_by_role("row").filter(has_text="Stale")).to_have_count(12)
    expect(fresh.get_by_role("row").filter(has_text="Bretagne")).not_to_contain_text("Stale")
    expect(fresh.get_by_role("row").filter(has_text="Bretagne")).to_contain_text("Not set up")
    page.get_by_label("Period").select_option("30 days")
    expect(grid.get_by_role("gridcell")).to_have_count(13 * 30)
    grid.locator("[tabindex='0']").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"#/load\?area=France&start=20\d\d-\d\d-\d\dT2[23]%3A00"))


def test_runs_quarantine_and_models_tell_what_is_wrong(visitor, incident):
    page = visitor().open("#/quality/runs")
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row(page, "scheduled__1")).to_contain_text("the portal answers 503")
    page.get_by_role("link", name="Quarantine").click()
    expect(row(page, "unknown_area").first).to_contain_text("1")
    page.get_by_role("button", name="Show records of eco2mix-regional-tr: unknown_area").click()
    records = page.get_by_role("table", name="Newest records")
    expect(records.get_by_role("row")).to_have_count(2)
    records.locator("summary").click()
    expect(records.locator("pre")).to_contain_text(HOSTILE)
    page.get_by_role("link", name="Models & stream").click()
    expect(row(page, "gam")).to_contain_text("1.31%")
    expect(page.get_by_text("The stream is not set up")).to_be_visible()
    assert page.locator("main img, main b").count() == 0


def test_the_scorecard_weighs_by_half_hours_and_stands_beside_rte(visitor, incident):
    page = visitor().open("#/scorecard")
    ours = page.locator(".figure").filter(has_text="Our error").locator(".value")
    # Two winters' half-hours at 2.2 % and one summer's at 1.1 %.
    expect(ours).to_have_text("1.83%")
    expect(page.locator(".figure").filter(has_text="Ours against").locator(".value")).to_have_text("−8%")
    expect(page.locator(".chart circle")).to_have_count(7)
    page.get_by_role("button", name="Summer").click()
    expect(ours).to_have_text("1.10%")
    page.get_by_label("Area", exact=True).select_option("Bretagne")
    expect(page.locator(".figure").filter(has_text="RTE’s error").locator(".value")).to_have_text("–")
    page.get_by_role("button", name="Spring").click()
    expect(page.get_by_text("No forecast fits")).to_be_visible()
    assert page.url.endswith("#/scorecard?area=Bretagne&season=spring")


def test_in_french_alerts_say_what_they_mean_and_numbers_stand_as_french_writes_them(visitor, incident):
    page = visitor(locale="fr-FR").open("#/alerts")
    gaps = row(page, "Consommation incomplète · Grand Est")
    expect(gaps.locator(".cut-line")).to_have_text("Il manque des valeurs attendues sur 24 heures.")
    expect(gaps.locator(".cut-line")).to_have_attribute("title", "54 of 96 values came.")
    # What has no area is told apart by its own words alone.
    expect(row(page, "Tests dbt en échec").locator("[lang=en]")).to_contain_text("holds_mart_daily_coverage")
    gaps.get_by_role("link").click()
    expect(page.locator(".lead")).to_contain_text("Il manque des valeurs attendues")
    expect(page.locator(".lead [lang=en]")).to_have_text("54 of 96 values came.")
    page.goto(page.url.split("#")[0] + EPISODE)
    told = re.compile(r"Bretagne\s: consommation sous l’attendu du .* −2\s300\sMW .*24 points signalés")
    expect(page.locator(".lead")).to_contain_text(told)
    page.goto(page.url.split("#")[0] + "#/quality/runs")
    expect(row(page, "scheduled__1")).to_contain_text("0 nouvelle1 révisée, 1 écarté")
    page.goto(page.url.split("#")[0] + "#/scorecard")
    figure = page.locator(".figure .value")
    expect(figure.first).to_be_visible()
    # No line may break before the sign.
    assert figure.all_inner_texts() == [f"{share}\u00a0%" for share in ("1,83", "2,00", "−8", "80")]


def test_who_may_only_look_is_told_so(visitor, incident):
    page = visitor().open(EPISODE, key="read")
    page.get_by_text("True event").click()
    page.get_by_role("button", name="Save label").click()
    expect(page.locator(".label-form").get_by_role("alert")).to_contain_text("You may not do this")
    page.goto(page.url.split("#")[0] + f"#/alerts/{group_of('low_coverage')}")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".notice.bad")).to_contain_text("You may not do this")
    assert stored("SELECT count() FROM alert_actions WHERE author = 'read'") == [(0,)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_legible_on_wide_and_narrow_screens(visitor, incident, theme):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    locale = {"light": "en-GB", "dark": "fr-FR"}[theme]
    visit = visitor(theme=theme, locale=locale)
    for name, address in VIEWS.items():
        page = visit.open(address.format(group=group_of("load_anomaly")))
        expect(page.locator("tbody tr:visible, .empty, .plot svg").first).to_be_visible()
        expect(page.locator(".fresh")).to_contain_text("UTC")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 1400})
            page.screenshot(path=SCREENSHOTS / f"operations-{name}-{theme}-{width}.png")
            assert page.evaluate(FAINT) == [], (name, width)
            assert page.evaluate(WIDE) == [], (name, width)


@pytest.mark.parametrize("view", ["episodes", "episode", "alerts", "quality"])
def test_everything_is_reached_by_keyboard_with_its_focus_seen(visitor, incident, view):
    page = visitor().open(VIEWS[view])
    expect(page.locator(".fresh")).to_contain_text("UTC")
    assert keys_needed(page) == []


def test_what_no_dbt_has_built_says_how_to_set_it_up(visitor, warehouse):
    page = visitor().open("#/quality")
    expect(page.get_by_text("Coverage is counted by dbt")).to_be_visible()
    for link, told in (("Scorecard", "Forecasts are compared"), ("Alerts", "All is quiet"), ("Episodes", "No episode")):
        page.get_by_role("link", name=link, exact=True).first.click()
        expect(page.get_by_text(told)).to_be_visible()


def test_inside_airflow_the_run_that_wrote_an_episode_is_opened(visitor, incident):
    visit = visitor()
    page = visit.open("icon.svg")
    page.goto(f"{visit.service}/plugin/power-load")
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="Episodes", exact=True).click()
    frame.get_by_role("link", name="Occitanie").click()
    with page.expect_navigation(url=re.compile(r"/dags/score_anomalies/runs/score__1$")):
        frame.get_by_role("button", name="Open in Airflow").click()
