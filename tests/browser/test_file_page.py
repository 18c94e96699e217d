"""The page "File loads" in a real browser: each of its functions clicked through, on wide and narrow screens."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from powersense.warehouse.client import connect
from powersense.warehouse.files import overview as file_overview
from tests.browser.conftest import KEYS, SCREENSHOTS
from tests.browser.legibility import FAINT, WIDE, keys_needed
from tests.services.file_loads_data import HOSTILE, HOSTILE_ERROR, add_busy_week, add_run, declaration, declare

NAME = "meter_readings"
VIEWS = {
    "ingestions": "#/file-loads",
    "runs": f"#/file-loads/{NAME}",
    "files": f"#/file-loads/{NAME}/files",
    "declaration": f"#/file-loads/{NAME}/declaration",
    "run": f"#/file-loads/{NAME}/runs/scheduled__1",
    "dry-run": f"#/file-loads/{NAME}/runs/dry__1",
    "declare": "#/file-loads/+",
}


def row(page: Page, text: str):
    return page.get_by_role("row").filter(has_text=text)


def files(**wanted: str) -> list[file_overview.FileSummary]:
    with connect("reader") as client:
        return file_overview.files(client, NAME, **wanted)


def test_a_key_opens_the_page_and_what_needs_attention_shows(visitor, warehouse):
    add_busy_week()
    page = visitor().open(key=None)
    box = page.get_by_label("API key")
    expect(box).to_be_focused()
    box.fill("ps_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The service does not know this key.")).to_be_visible()
    page.get_by_label("API key").fill(KEYS["write"])
    page.get_by_role("button", name="Open").click()
    expect(page).to_have_title("File loads · PowerSense")
    expect(page.locator(".figure").filter(has_text="Need attention").locator(".value")).to_have_text("1")
    expect(row(page, NAME)).to_contain_text("Partial")
    expect(row(page, NAME)).to_contain_text("1 quarantined")
    expect(row(page, "rte_yearly")).to_contain_text("Not enabled")
    last_run = row(page, "weather_archive").locator("time").first
    expect(last_run).to_contain_text("4 min. ago")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d", last_run.locator(".instant").inner_text())
    hover = last_run.get_attribute("title") or ""
    assert "UTC\n" in hover
    assert "(Europe/Paris)" in hover
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_quarantined_file_is_found_understood_and_released(visitor, warehouse):
    add_busy_week()
    page = visitor().open()
    page.get_by_role("link", name=NAME).click()
    page.get_by_role("link", name="Files (11)").click()
    page.get_by_role("button", name="Quarantined 1").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row(page, HOSTILE)).to_contain_text(HOSTILE_ERROR)
    assert "state=quarantined" in page.url

    page.get_by_role("button", name="History of").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(HOSTILE_ERROR)
    dialog.get_by_text("First record set aside").click()
    expect(dialog.locator("pre")).to_have_text("x,<i>y</i>")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="History of")).to_be_focused()

    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(page.get_by_text("Released. The next run tries it again.")).to_be_visible()
    expect(page.get_by_text("No file fits")).to_be_visible()
    assert [file.path for file in files(state="quarantined")] == []

    page.get_by_role("button", name="All 11").click()
    page.get_by_label("Find in path").fill("FÉVRIER")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row(page, HOSTILE)).to_contain_text("New")
    # Names and errors of files are text, whatever they look like.
    assert page.title() == f"{NAME} · PowerSense"
    assert page.locator("main img, main script, main b, main i").count() == 0


def test_a_run_is_asked_for_and_followed_to_its_end(visitor, warehouse):
    declare()
    page = visitor().open(f"#/file-loads/{NAME}")
    expect(page.get_by_text("It has not run yet")).to_be_visible()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Run requested. Airflow starts it within a minute.")).to_be_visible()
    expect(page.locator("h1 + .badges")).to_have_text("Requested")
    expect(page.get_by_text("asked by write")).to_be_visible()
    run_id = page.locator(".lead").inner_text()
    assert run_id.startswith("requested__")
    add_run(NAME, run_id, at=datetime.now(UTC), files_listed=7, files_loaded=7, rows_loaded=1_234)
    expect(page.locator("h1 + .badges")).to_have_text("Success")
    expect(page.get_by_text("1,234")).to_be_visible()
    page.get_by_role("link", name=NAME).click()
    expect(row(page, "7 loaded")).to_contain_text("asked by write")


def test_a_dry_run_lists_what_would_be_loaded(visitor, warehouse):
    add_busy_week()
    page = visitor().open(f"#/file-loads/{NAME}")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("h1 + .badges")).to_contain_text("Dry run")
    expect(page.get_by_text("it lists what would be loaded and loads nothing")).to_be_visible()
    page.get_by_role("link", name=NAME).click()
    row(page, "3 to load").get_by_role("link").click()
    expect(page.get_by_role("heading", name="What it would load")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(4)
    expect(row(page, "in/2024-02-09.csv.gz")).to_contain_text("Changed")


def test_an_ingestion_is_declared_corrected_edited_and_deleted(visitor, warehouse):
    page = visitor().open()
    expect(page.get_by_text("No ingestion is declared yet")).to_be_visible()
    page.get_by_role("link", name="Declare an ingestion").first.click()
    text = page.get_by_label("Declaration (JSON)")
    assert json.loads(text.input_value())["name"] == NAME

    text.fill('{"name": ')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    wrong = declaration(schedule="<b>daily</b>", target={"kind": "table", "table": "t", "columns": [{"name": "A"}]})
    text.fill(json.dumps(wrong))
    page.get_by_role("button", name="Save").click()
    problems = page.get_by_role("alert").get_by_role("listitem")
    expect(problems).to_have_count(2)
    expect(problems.filter(has_text="schedule")).to_contain_text("<b>daily</b>")
    expect(problems.filter(has_text="schedule")).to_contain_text("write one like '0 6 * * *'")
    problems.get_by_role("button", name="target.columns[0].name").click()
    assert text.evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)") == '"name"'

    text.fill(json.dumps(declaration()))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text(f"Saved the ingestion {NAME}.")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    text.fill(json.dumps(declaration(description="the new meters", enabled=False)))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("the new meters")).to_be_visible()
    expect(page.get_by_role("button", name="Run now")).to_be_disabled()
    page.get_by_role("link", name="Declaration", exact=True).click()
    expect(page.locator("pre.code")).to_contain_text('"enabled": false')

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No ingestion is declared yet")).to_be_visible()


def test_who_may_only_look_is_told_so_and_an_outage_too(visitor, warehouse):
    declare()
    page = visitor().open(f"#/file-loads/{NAME}", key="read")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".notice.bad")).to_contain_text("You may not do this")
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("link", name="File loads").first.click()
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(row(page, NAME)).to_contain_text("Never run")
    page.goto(page.url.replace("#/file-loads", "#/file-loads/nobody"))
    expect(page.get_by_text("No ingestion 'nobody' is declared")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_legible_on_wide_and_narrow_screens(visitor, warehouse, theme):
    add_busy_week()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    locale = {"light": "en-GB", "dark": "fr-FR"}[theme]
    visit = visitor(theme=theme, locale=locale)
    for name, address in VIEWS.items():
        page = visit.open(address)
        expect(page.locator("tbody tr, textarea, pre.code").first).to_be_visible()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate("document.documentElement.lang") == locale[:2]
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 1400})
            page.screenshot(path=SCREENSHOTS / f"file-loads-{name}-{theme}-{width}.png")
            assert page.evaluate(FAINT) == [], (name, width)
            assert page.evaluate(WIDE) == [], (name, width)


def test_everything_is_reached_by_keyboard_with_its_focus_seen(visitor, warehouse):
    add_busy_week()
    page = visitor().open(f"#/file-loads/{NAME}/files")
    expect(page.get_by_role("row")).to_have_count(12)
    assert keys_needed(page) == []
    page.get_by_role("link", name="Runs").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="by schedule").first).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()


def test_inside_airflow_it_has_airflows_theme_and_language_and_names_itself_in_the_address(visitor, warehouse):
    add_busy_week()
    visit = visitor(theme="light", locale="en-GB")
    page = visit.open("icon.svg")
    page.evaluate("localStorage.setItem('i18nextLng', 'fr')")
    page.goto(f"{visit.service}/plugin/file-loads")
    frame = page.frame_locator("iframe")
    root = frame.locator("html")
    expect(frame.get_by_role("heading", name="Chargements de fichiers")).to_be_visible()
    expect(root).to_have_attribute("data-theme", "dark")
    page.evaluate("document.documentElement.className = 'light'")
    expect(root).to_have_attribute("data-theme", "light")
    frame.get_by_role("link", name=NAME).click()
    frame.get_by_role("link", name="Exécutions").focus()
    expect(frame.get_by_role("row").filter(has_text="Partielle").first).to_be_visible()
    assert page.url.endswith(f"#/file-loads/{NAME}")
    page.screenshot(path=SCREENSHOTS / "file-loads-in-airflow.png")
    frame.get_by_role("row").filter(has_text="Partielle").get_by_role("link").click()
    with page.expect_navigation(url=re.compile(r"/dags/load_files/runs/scheduled__1$")):
        frame.get_by_role("button", name="Ouvrir dans Airflow").click()


def test_the_language_can_be_chosen_and_is_kept(visitor, warehouse):
    add_busy_week()
    visit = visitor(locale="de-DE")
    page = visit.open()
    expect(page.get_by_role("heading", name="File loads")).to_be_visible()
    page.get_by_role("button", name="FR").click()
    expect(page.get_by_role("heading", name="Chargements de fichiers")).to_be_visible()
    expect(page.get_by_role("button", name="FR")).to_be_focused()
    expect(row(page, "weather_archive")).to_contain_text("1\u202f234\u202f567")
    visit.open()
    expect(page.get_by_role("heading", name="Chargements de fichiers")).to_be_visible()
