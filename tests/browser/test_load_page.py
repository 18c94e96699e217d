"""The page "Power load" in a real browser: each of its functions, by pointer and by keyboard, wide and narrow."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SCREENSHOTS
from tests.browser.legibility import FAINT, WIDE, keys_needed
from tests.browser.load_data import EPISODE, NOW, VERSIONS, fill_load

VIEWS = {
    "home": "",
    "incident": "#/load?area=Bretagne&start=2018-01-16T23:00:00Z&end=2018-01-20T12:00:00Z&at=2018-01-18T11:00:00Z",
    "known": "#/load?start=2018-01-18T12:00:00Z&end=2018-01-20T23:00:00Z&at=2018-01-19T08:00:00Z"
    "&known=2018-01-19T08:20:00.250Z",
    "ten-years": "#/load?span=all",
}


@pytest.fixture(scope="module")
def filled(module_warehouse):
    fill_load()
    return module_warehouse


@pytest.fixture
def opened(visitor, filled) -> Callable[..., Page]:
    """Opens a view at the data's own present, and waits for its curve."""

    def open_view(address: str = "", **screen: object) -> Page:
        visit = visitor(**screen)
        visit.page.clock.set_fixed_time(NOW)
        page = visit.open(address)
        expect(page.locator(".load-chart .load-line")).to_have_count(1)
        expect(page.locator(".tile .spark path").first).to_be_attached()
        page.wait_for_load_state("networkidle")
        return page

    return open_view


def chart(page: Page):
    return page.locator(".chart-frame")


def told(page: Page) -> dict[str, list[str]]:
    """The parameters of the view's address."""
    return parse_qs(urlsplit(page.url).fragment.partition("?")[2])


def shown(page: Page) -> tuple[datetime, datetime]:
    """The range in the address."""
    first, last = (datetime.fromisoformat(told(page)[name][0]) for name in ("start", "end"))
    return first, last


def figure(page: Page, label: str):
    return page.locator(".load-figure").filter(has_text=label)


def test_home_tells_where_the_load_stands(opened):
    page = opened()
    expect(page).to_have_title("Power load · PowerSense")
    expect(page.get_by_role("navigation", name="Views").locator("[aria-current]")).to_have_text("Power load")
    # 12:45 in Paris; the wave gives 79,747 MW there.
    expect(figure(page, "Load at 12:45").locator(".value")).to_have_text("79,747\u00a0MW")
    expect(figure(page, "Against what was expected")).to_contain_text("0.0%")
    expect(figure(page, "Forecast peak of the next 24 h")).to_contain_text("at 16:00")
    expect(figure(page, "Episodes in this range")).to_contain_text("and 1 in other areas")
    expect(page.locator(".load-chart .forecast-line")).to_have_count(1)
    expect(page.locator(".load-chart .now-name")).to_have_text("now")
    # All thirteen areas have their curve of the range; the dark day shows where it was.
    expect(page.locator(".tile .spark .load-line")).to_have_count(13)
    dark = page.locator(".tile").filter(has=page.locator(".rail.critical"))
    expect(dark).to_have_count(1)
    expect(dark).to_have_accessible_name(re.compile(r"^Bretagne: 4,386\u00a0MW, .*1 episode in this range$"))


def test_ten_years_are_zoomed_to_a_day_by_pointer_and_by_keyboard(opened):
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator(".shown-range")).to_contain_text("20 Jan 2008 – 27 Jan 2018")
    assert told(page) == {"span": ["all"]}
    expect(page.locator(".load-chart .envelope")).to_have_count(1)

    box = chart(page).bounding_box() or {}
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 500, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 560, middle, steps=3)
    assert (page.locator(".zoom-box").get_attribute("width") or "").startswith(("59", "60"))
    page.mouse.up()
    expect(page.locator(".shown-range")).not_to_contain_text("2008")
    page.wait_for_url(re.compile("start="))
    first, last = shown(page)
    assert 150 < (last - first).days < 250

    chart(page).focus()
    for _ in range(8):
        page.keyboard.press("+")
    expect(page.locator(".load-chart .axes text.major").first).to_have_text(re.compile(r"^\w{3} \d+ \w{3}"))
    page.wait_for_timeout(400)
    first, last = shown(page)
    assert 0.5 < (last - first).total_seconds() / 86_400 < 1.0
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("-")
    page.wait_for_timeout(400)
    earlier, later = shown(page)
    assert earlier < first
    assert (later - earlier) == pytest.approx(2 * (last - first), rel=0.02)
    # However long the range, no more points are asked for than the chart has pixels.
    curves = [parse_qs(urlsplit(url).query) for url in asked if "/curve?" in url]
    assert len(curves) > 5
    assert max(int(question["points"][0]) for question in curves) <= box["width"]

    address = page.url
    page.reload()
    expect(page.locator(".load-chart .load-line")).to_have_count(1)
    assert page.url == address


def test_the_strip_of_all_years_moves_the_range(opened):
    page = opened("#/load?span=year")
    window = page.get_by_role("slider", name="The range within all that is stored")
    window.focus()
    page.keyboard.press("Home")
    page.wait_for_url(re.compile("start=2008-01-20"))
    page.get_by_role("slider", name="End of the range").focus()
    page.keyboard.press("PageDown")
    expect(page.locator(".shown-range")).to_contain_text(re.compile(r"20 Jan – 2[34] Jul 2008"))
    box = page.locator(".range-brush").bounding_box() or {}
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.wait_for_url(re.compile("start=201[23]-"))
    at_half = shown(page)[0]
    handle = page.locator(".brush-window").bounding_box() or {}
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 20)
    page.mouse.down()
    page.mouse.move(handle["x"] + handle["width"] / 2 + 100, handle["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    assert shown(page)[0] > at_half

    page.get_by_title("Choose dates").click()
    page.get_by_label("From").fill("2017-03-26")
    page.get_by_label("To and including").fill("2017-03-25")
    page.get_by_role("button", name="Show").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("must not come after")
    page.get_by_label("To and including").fill("2017-03-26")
    page.get_by_role("button", name="Show").last.click()
    expect(page.locator(".shown-range")).to_contain_text("26 Mar 2017")
    # The day on which the clocks go forward has 23 hours.
    first, last = shown(page)
    assert (last - first).total_seconds() == 23 * 3600
    page.go_back()
    expect(page.locator(".shown-range")).not_to_contain_text("26 Mar 2017")


def test_the_cursor_tells_values_and_an_instant_its_versions(opened):
    page = opened("#/load?start=2018-01-19T06:00:00Z&end=2018-01-19T10:00:00Z")
    slider = chart(page)
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute(
        "aria-valuetext", re.compile(r"^Fri, 19 Jan 2018, 09:00, Load 59,000\u00a0MW, Expected 73,1\d+\u00a0MW \(58,")
    )
    expect(page.locator(".legend-when")).to_have_text("Fri, 19 Jan 2018, 09:00")
    page.keyboard.press("Enter")
    assert told(page)["at"] == ["2018-01-19T08:00:00Z"]
    versions = page.get_by_role("table", name="Versions of the value").locator("tbody tr")
    expect(versions).to_have_count(3)
    expect(versions.nth(0)).to_contain_text("60,000\u00a0MW")
    expect(versions.nth(1)).to_contain_text("+1,500")
    expect(versions.nth(2)).to_contain_text("consolidated")
    expect(versions.filter(has_text="counts")).to_have_count(1)
    expect(versions.nth(2)).to_contain_text("counts")

    versions.nth(0).get_by_role("button", name="Curve as known then").click()
    assert datetime.fromisoformat(told(page)["known"][0]) == VERSIONS[0][3]
    expect(page.locator(".load-chart .known-line")).to_have_count(1)
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    known = page.locator(".legend-known")
    expect(known).to_contain_text("As known 19 Jan 2018, 09:20")
    expect(known).to_contain_text("60,000\u00a0MW")
    # The forecast that had been issued by then, a tenth above the one of today.
    expect(page.locator(".legend-value.forecast")).to_contain_text("80,447\u00a0MW")
    known.get_by_role("button").click()
    expect(page.locator(".load-chart .known-line")).to_have_count(0)
    assert "known" not in told(page)

    page.get_by_label("Show the curve and its forecast as known at").fill("2018-01-19T10:05:00")
    page.get_by_role("button", name="Show", exact=True).click()
    assert told(page)["known"] == ["2018-01-19T09:05:00.000Z"]
    page.get_by_role("button", name="Quarter-hour after").click()
    expect(page.get_by_text("Fri, 19 Jan 2018, 09:15")).to_be_visible()
    expect(versions).to_have_count(1)
    page.get_by_role("button", name="Forget this instant").click()
    expect(page.get_by_text("Pick an instant on the curve")).to_be_visible()


def test_a_dark_region_is_found_looked_at_and_explained(opened):
    page = opened()
    page.locator("[data-area=Bretagne]").click()
    assert told(page) == {"area": ["Bretagne"]}
    expect(page.locator("h1")).to_contain_text("Bretagne")
    expect(page.locator("[data-area=Bretagne]")).to_be_focused()
    expect(page.locator(".load-chart .episode.critical")).to_have_count(1)
    expect(page.locator(".legend-value.anomalies")).to_have_text("96")
    entry = page.locator(".episode-list li")
    expect(entry).to_have_count(1)
    expect(entry).to_contain_text("−3,000\u00a0MW at worst, z = −9.5")
    explain = entry.get_by_role("link", name="Explanation")
    expect(explain).to_have_attribute("href", f"#/episodes/{EPISODE}")
    assert "<img" in (explain.get_attribute("title") or "")
    assert page.locator("main img").count() == 0
    entry.get_by_role("link", name="18 Jan 2018").click()
    expect(page.locator(".shown-range")).to_contain_text("17 Jan – 19 Jan 2018")
    assert told(page)["at"] == ["2018-01-18T11:00:00Z"]
    page.go_back()
    expect(page.locator(".shown-range")).to_contain_text("13 Jan – 27 Jan 2018")
    page.get_by_label("Area").select_option("France")
    expect(page.locator(".load-chart .episode")).to_have_count(0)
    expect(page.locator(".load-episodes details li")).to_have_count(1)


def test_layers_expectations_and_values_are_for_the_person_to_choose(opened, tmp_path):
    page = opened("#/load?span=day")
    expect(page.locator(".load-chart .expected-band")).to_have_count(1)
    expected = page.get_by_role("button", name="Expected")
    expected.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".load-chart .expected-band")).to_have_count(0)
    expect(expected).to_be_focused()
    expect(expected).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Forecast").click()
    expect(page.locator(".load-chart .fan")).to_have_count(0)
    assert told(page)["hide"] == ["expected,forecast"]
    expected.click()
    page.get_by_label("Expected by").select_option("day-ahead forecast")
    assert told(page)["judge"] == ["forecast_residual_day"]
    expect(figure(page, "Against what was expected")).to_contain_text("not scored yet")
    expect(page.locator(".load-chart .expected-band")).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    assert saved.value.suggested_filename == "France 2018-01-19 2018-01-21.csv"
    saved.value.save_as(tmp_path / "saved.csv")
    with (tmp_path / "saved.csv").open(encoding="utf-8") as file:
        values = {row["observed_at"]: row["value"] for row in csv.DictReader(file)}
    assert len(values) == 96
    assert values["2018-01-20T11:45:00Z"] == "79747"


def test_an_empty_warehouse_a_wrong_area_and_an_outage_are_told(visitor, warehouse):
    visit = visitor()
    page = visit.open("#/load")
    expect(page.get_by_text("No load is stored yet")).to_be_visible()
    visit.open("#/load?area=Atlantis")
    expect(page.get_by_text("There is no area “Atlantis”.")).to_be_visible()
    page.route("**/api/v1/**", lambda route: route.abort())
    visit.open("#/load?span=month")
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("No load is stored yet")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_view_is_legible_on_wide_and_narrow_screens(opened, theme):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, address in VIEWS.items():
        page = opened(address, theme=theme, locale={"light": "en-GB", "dark": "fr-FR"}[theme])
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        for width, height in ((1280, 900), (390, 1400)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_load_state("networkidle")
            page.screenshot(path=SCREENSHOTS / f"load-{name}-{theme}-{width}.png")
            assert page.evaluate(FAINT) == [], (name, width)
            assert page.evaluate(WIDE) == [], (name, width)
        page.close()


def test_everything_is_reached_by_keyboard_with_its_focus_seen(opened):
    page = opened(VIEWS["incident"])
    expect(page.get_by_role("table", name="Versions of the value")).to_be_visible()
    assert keys_needed(page) == []


def test_a_finger_moves_the_cursor_and_a_tap_chooses(opened):
    page = opened("#/load?span=day", width=390, height=844)
    box = chart(page).bounding_box() or {}
    page.evaluate(
        """([x, y]) => {
          const chart = document.querySelector('.chart-frame');
          const send = (kind, at) => chart.dispatchEvent(
            new PointerEvent(kind, {clientX: at, clientY: y, pointerType: 'touch', pointerId: 7, bubbles: true}));
          send('pointerdown', x); send('pointermove', x + 60); send('pointerup', x + 60);
        }""",
        [box["x"] + 100, box["y"] + 100],
    )
    expect(page.locator(".load-chart .cursor")).to_have_count(1)
    assert "at" not in told(page)
    chart(page).click(position={"x": 120, "y": 100})
    assert "at" in told(page)


def test_inside_airflow_it_has_its_theme_language_and_address(visitor, filled):
    visit = visitor(theme="light", locale="en-GB")
    visit.page.clock.set_fixed_time(NOW)
    page = visit.open("icon.svg")
    page.evaluate("localStorage.setItem('i18nextLng', 'fr')")
    page.goto(f"{visit.service}/plugin/file-loads")
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="Consommation").click()
    expect(frame.locator(".load-chart .load-line")).to_have_count(1)
    dark = frame.locator(".load-line").first.evaluate("e => getComputedStyle(e).stroke")
    page.evaluate("document.documentElement.className = 'light'")
    expect(frame.locator("html")).to_have_attribute("data-theme", "light")
    assert frame.locator(".load-line").first.evaluate("e => getComputedStyle(e).stroke") != dark
    frame.get_by_role("button", name="Mois").click()
    assert page.url.endswith("#/load?span=month")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=SCREENSHOTS / "load-in-airflow.png")
