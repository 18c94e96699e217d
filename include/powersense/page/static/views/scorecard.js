// Scorecard: how far the forecasts of the last year were off, by days ahead, beside RTE's own of the day before.

import { get, isNotBuilt } from "../api.js";
import { leadChart } from "../charts/lead_chart.js";
import { fill, h } from "../dom.js";
import { chips, choice } from "../filters.js";
import { number, percent, signed, signedPercent } from "../format.js";
import { empty, figures, heading, placeholder, table } from "../parts.js";
import { finder, goInstead } from "../router.js";
import { t } from "../texts.js";
import { areas } from "./areas.js";

const VIEW = "scorecard";
const SEASONS = ["winter", "spring", "summer", "autumn"];
const DAY_AHEAD = 1;

export const scorecard = { find: finder(showScorecard) };

async function showScorecard(page) {
  page.setTitle(t("scorecard"));
  const { area = "France", season = "", model = "" } = page.parameters;
  const wanted = { area, season, model };
  const content = placeholder();
  const known = await areas(page.signal);
  let rows = [];
  const show = () => {
    goInstead([VIEW], { ...wanted, area: wanted.area === "France" ? "" : wanted.area });
    seasons.show([{ id: "", text: t("sc all year") }, ...SEASONS.map((id) => ({ id, text: t(`sc ${id}`) }))], wanted.season);
    showResults(content, rows, wanted, known);
  };
  const change = (changes) => {
    Object.assign(wanted, changes);
    show();
  };
  const seasons = chips(t("sc season"), (one) => change({ season: one }));
  const choices = h("span", { class: "choices" });
  fill(page.main, heading({ title: t("scorecard"), lead: t("sc lead") }), h("div", { class: "filters" }, seasons.element, choices), content, page.fresh);
  let before = "";
  await page.keep(async () => {
    rows = await readAll(page.signal);
    const now = JSON.stringify(rows);
    if (now === before) return 300;
    before = now;
    const models = [...new Set(rows.map((row) => row.model))].sort();
    if (!models.includes(wanted.model)) wanted.model = "";
    fill(
      choices,
      choice("area", t("area"), known.map((name) => [name, name]), wanted.area, (one) => change({ area: one })),
      choice("model", t("sc model"), [["", t("sc as issued")], ...models.map((name) => [name, name])], wanted.model, (one) => change({ model: one })),
    );
    show();
    return 300;
  });
}

/** All rows, or none where dbt has not built the scorecard yet. */
async function readAll(signal) {
  try {
    return (await get(["forecasts", "scorecard"], { limit: 10_000 }, signal)).items;
  } catch (error) {
    if (isNotBuilt(error)) return [];
    throw error;
  }
}

function showResults(box, rows, { area, season, model }, known) {
  const fits = (row) => (!season || row.season === season) && (!model || row.model === model);
  const chosenRows = rows.filter((row) => fits(row) && row.area === area);
  if (rows.length === 0) fill(box, empty(t("not set up"), t("sc none")));
  else if (chosenRows.length === 0) fill(box, empty(t("sc none fit"), t("sc none fit help")));
  else {
    const leads = byLead(chosenRows);
    fill(
      box, sums(leads), h("section", { class: "card chart-card" }, h("h2", {}, t("sc error by lead")), leadChart(leads)), h("section", {}, h("h2", {}, t("sc by lead")), leadTable(leads)),
      h("section", {}, h("h2", {}, t("sc by area")), areaTable(rows.filter((row) => row.day_lead === DAY_AHEAD && (!model || row.model === model)), known)),
    );
  }
}

/**
 * Put rows together: shares and biases weighted by half-hours, root mean squares by their squares. RTE's are over the same
 * rows, of those that have one.
 */
function together(rows) {
  const sum = (some, pick) => some.reduce((total, row) => total + pick(row) * row.half_hours, 0);
  const mean = (name, root = false) => {
    const some = rows.filter((row) => row[name] !== null);
    const weight = sum(some, () => 1);
    if (weight === 0) return null;
    const found = sum(some, (row) => (root ? row[name] ** 2 : row[name])) / weight;
    return root ? Math.sqrt(found) : found;
  };
  return {
    half_hours: sum(rows, () => 1), mape: mean("mape"), rmse_mw: mean("rmse_mw", true), bias_mw: mean("bias_mw"), pinball_mw: mean("pinball_mw"),
    coverage_80: mean("coverage_80"), rte_mape: mean("rte_mape"), rte_rmse_mw: mean("rte_rmse_mw", true),
  };
}

function byLead(rows) {
  const leads = [...new Set(rows.map((row) => row.day_lead))].sort((a, b) => a - b);
  return leads.map((lead) => ({ lead, ...together(rows.filter((row) => row.day_lead === lead)) }));
}

function sums(leads) {
  const ahead = leads.find(({ lead }) => lead === DAY_AHEAD) ?? leads[0];
  const versus = ahead.rte_mape === null || ahead.mape === null ? null : ahead.mape / ahead.rte_mape - 1;
  return h("div", { class: "figures" }, figures([
    [t("sc ours"), percent(ahead.mape, 2)],
    [t("sc rte"), percent(ahead.rte_mape, 2)],
    [t("sc versus"), versus === null ? "–" : signedPercent(versus), versus !== null && versus > 0 ? "bad" : ""],
    [t("sc inside"), percent(ahead.coverage_80)],
  ]));
}

function leadTable(leads) {
  const mw = (value) => (value === null ? "–" : number(Math.round(value)));
  const listing = table(t("sc by lead"), [
    { name: t("sc days ahead"), cell: ({ lead }) => h("span", { class: "strong" }, t("sc lead n", { n: lead })) },
    { name: t("sc mape"), kind: "number", cell: (row) => percent(row.mape, 2) },
    { name: t("sc rmse"), kind: "number", cell: (row) => mw(row.rmse_mw) },
    { name: t("sc bias"), kind: "number", cell: (row) => (row.bias_mw === null ? "–" : signed(row.bias_mw)) },
    { name: t("sc pinball"), kind: "number", cell: (row) => mw(row.pinball_mw) },
    { name: t("sc coverage"), kind: "number", cell: (row) => percent(row.coverage_80, 1) },
    { name: t("sc rte mape"), kind: "number", cell: (row) => percent(row.rte_mape, 2) },
    { name: t("sc rte rmse"), kind: "number", cell: (row) => mw(row.rte_rmse_mw) },
    { name: t("sc half-hours"), kind: "number", cell: (row) => number(row.half_hours) },
  ], ({ lead }) => lead, { isCompact: true });
  listing.show(leads);
  return listing.element;
}

/** Errors of the day ahead: an area a row, a season a column. */
function areaTable(rows, known) {
  const cell = (area, season) => {
    const some = rows.filter((row) => row.area === area && (!season || row.season === season));
    return some.length === 0 ? null : together(some);
  };
  const shown = (found) => (found === null ? h("span", { class: "muted" }, "–") : [percent(found.mape, 2), found.rte_mape !== null && h("span", { class: "sub" }, t("sc rte short", { share: percent(found.rte_mape, 2) }))]);
  const listing = table(t("sc by area"), [
    { name: t("area"), cell: ({ area }) => h("span", { class: "strong" }, area) },
    { name: t("sc all year"), kind: "number", cell: (row) => shown(row.all) },
    ...SEASONS.map((season) => ({ name: t(`sc ${season}`), kind: "number", cell: (row) => shown(row[season]) })),
  ], ({ area }) => area, { isCompact: true });
  listing.show(known.map((area) => ({ area, all: cell(area), ...Object.fromEntries(SEASONS.map((season) => [season, cell(area, season)])) })).filter(({ all }) => all));
  return listing.element;
}
