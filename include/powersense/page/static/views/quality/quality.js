// Quality: how fresh and how complete the data is, the runs that brought it, what was set aside, and the models.

import { get, isNotBuilt } from "../../api.js";
import { heatMap } from "../../charts/heat_map.js";
import { DAY, instantOf } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { choice, narrowing } from "../../filters.js";
import { instant, iso, number, percent } from "../../format.js";
import { badge, empty, heading, placeholder, table, tabs } from "../../parts.js";
import { finder, go, link } from "../../router.js";
import { t } from "../../texts.js";
import { areas } from "../areas.js";
import { showModels } from "./models.js";
import { showQuarantine } from "./quarantine.js";
import { showRuns } from "./runs.js";

const VIEW = "quality";
const SECTIONS = { runs: showRuns, quarantine: showQuarantine, models: showModels };
const PERIODS = ["30", "90", "365"];
const USUAL = "90";
const WORST = 12;

export const quality = {
  find: finder(showSection(undefined, showOverview), Object.fromEntries(Object.entries(SECTIONS).map(([section, show]) => [section, showSection(section, show)]))),
};

/** Return what shows a section, `show(page, content)`, below the head that all have. */
function showSection(section, show) {
  return async (page) => {
    page.setTitle(t(section ? `qu ${section}` : "quality"));
    const content = placeholder();
    fill(page.main, heading({ title: t("quality"), lead: t("qu lead") }), sectionTabs(section), content, page.fresh);
    await show(page, content);
  };
}

function sectionTabs(current) {
  return tabs(t("quality"), [undefined, ...Object.keys(SECTIONS)].map((section) => ({
    text: t(section ? `qu ${section}` : "qu overview"), href: link(section ? [VIEW, section] : [VIEW]), isCurrent: section === current,
  })));
}

async function showOverview(page, content) {
  const wanted = { days: PERIODS.includes(page.parameters.days) ? page.parameters.days : "" };
  const fresh = freshTable();
  const coverage = h("div", { class: "card chart-card" }, h("p", { class: "muted" }, t("loading")));
  const known = await areas(page.signal);
  let told = "";
  const refresh = async () => {
    // Each shows as soon as it is there.
    await Promise.all([
      get(["freshness"], {}, page.signal).then(({ items }) => fresh.show(withSetUp(items).toSorted((a, b) => known.indexOf(a.area) - known.indexOf(b.area)))),
      readCoverage(daysOf(wanted), page.signal).then(showDays),
    ]);
    return 60;
  };
  function showDays(days) {
    const now = JSON.stringify(days) + wanted.days;
    // Whoever walks through the grid keeps their place.
    if (now === told || coverage.querySelector(".heat:focus-within")) return;
    told = now;
    showCoverage(coverage, days, known, daysOf(wanted));
  }
  const change = narrowing([VIEW], wanted, refresh);
  const period = choice("days", t("period"), PERIODS.map((days) => [days, t("qu days", { n: days })]), wanted.days || USUAL, (days) => change({ days: days === USUAL ? "" : days }));
  fill(
    content,
    h("div", { class: "section-head" }, h("h2", {}, t("qu coverage")), period), coverage,
    h("section", {}, h("h2", {}, t("qu freshness")), fresh.element),
  );
  await page.keep(refresh);
}

function daysOf({ days }) {
  return Number(days || USUAL);
}

/** Say with each area whether any has weather, and forecasts: one alone that has none is no matter of setting up. */
function withSetUp(rows) {
  const anyHas = (column) => rows.some((row) => row[column]);
  return rows.map((row) => ({ ...row, isWeatherSetUp: anyHas("weather_at"), isForecastSetUp: anyHas("forecast_at") }));
}

function freshTable() {
  const cell = (at, isStale, isSetUp = true) => (isSetUp ? [instant(at), (isStale || !at) && [" ", badge("stale", t("qu stale"), "bad")]] : h("span", { class: "muted" }, t("not set up")));
  return table(t("qu freshness"), [
    { name: t("area"), kind: "wide-left", cell: (row) => h("span", { class: "strong" }, row.area) },
    { name: t("qu load at"), kind: "fresh-at", cell: (row) => cell(row.load_at, row.is_load_stale) },
    { name: t("qu weather at"), kind: "fresh-at", cell: (row) => cell(row.weather_at, row.is_weather_stale, row.isWeatherSetUp) },
    { name: t("qu forecast at"), kind: "fresh-at", cell: (row) => cell(row.forecast_at, row.is_forecast_stale, row.isForecastSetUp) },
  ], ({ area }) => area, { isCompact: true });
}

/** Rows of the coverage of load, or null where dbt has not counted it yet. */
async function readCoverage(days, signal) {
  const start = new Date(Date.now() - days * DAY).toISOString();
  try {
    return (await get(["coverage"], { start, limit: 10_000 }, signal)).items;
  } catch (error) {
    if (isNotBuilt(error)) return null;
    throw error;
  }
}

function showCoverage(box, rows, known, count) {
  if (rows === null || rows.length === 0) {
    fill(box, empty(t("not set up"), t("qu no coverage")));
    return;
  }
  const byCell = new Map(rows.map((row) => [`${row.area} ${row.day}`, row]));
  const last = rows.reduce((newest, { day }) => (day > newest ? day : newest), "");
  const days = Array.from({ length: count }, (_, index) => new Date(Date.parse(last) - (count - 1 - index) * DAY).toISOString().slice(0, 10));
  const shareOf = (area, day) => byCell.get(`${area} ${day}`)?.coverage_ratio ?? null;
  const tell = (area, day) => {
    const row = byCell.get(`${area} ${day}`);
    if (!row) return `${area} · ${day} · ${t("qu level unknown")}`;
    return `${area} · ${day} · ${t("qu received", { some: row.received_values, all: row.expected_values })} (${percent(Math.min(1, row.coverage_ratio))})${row.is_partial_day ? ` · ${t("qu partial")}` : ""}`;
  };
  // The day is one of Paris.
  const midnight = (shown) => iso(instantOf(shown));
  const open = (area, day) => go(["load"], { area, start: midnight(Date.parse(day)), end: midnight(Date.parse(day) + DAY) });
  fill(box, heatMap({ areas: known, days, shareOf, tell, open }), worstDays(rows));
}

/** The days with the most gaps, for those who do not look at colours. */
function worstDays(rows) {
  const gaps = rows.filter((row) => row.coverage_ratio < 0.999).sort((a, b) => a.coverage_ratio - b.coverage_ratio || b.day.localeCompare(a.day));
  if (gaps.length === 0) return h("p", { class: "muted" }, t("qu no gaps"));
  const listing = table(t("qu gaps"), [
    { name: t("area"), cell: ({ area }) => area },
    { name: t("qu day"), cell: ({ day }) => day },
    { name: t("qu values"), kind: "number", cell: (row) => t("of n", { some: row.received_values, all: row.expected_values }) },
    { name: t("qu share"), kind: "number", cell: (row) => percent(row.coverage_ratio) },
  ], ({ area, day }) => `${area} ${day}`);
  listing.show(gaps.slice(0, WORST));
  return h("details", { class: "figures-table" }, h("summary", {}, t("qu gaps n", { n: gaps.length })), listing.element);
}
