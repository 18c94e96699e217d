// The view "Power load": what is used now, expected and forecast, over any range, for France and each region.

import { Problem, download } from "../../api.js";
import { loadChart } from "../../charts/load_chart.js";
import { MINUTE } from "../../charts/paris.js";
import { rangeBrush } from "../../charts/range_brush.js";
import { fill, h } from "../../dom.js";
import { readAgain } from "../../filters.js";
import { iso } from "../../format.js";
import { act, button, empty, notice } from "../../parts.js";
import { t } from "../../texts.js";
import { aligned, instantNear, loadSource } from "./data.js";
import { episodeList } from "./episode_list.js";
import { loadFigures } from "./figures.js";
import { loadLegend, sentence } from "./legend.js";
import { VIEW, boundsOf, readState, writeState } from "./state.js";
import { loadToolbar } from "./toolbar.js";
import { regionMap } from "./region_map.js";
import { revisions } from "./revisions.js";

const SECONDS = 60;
// How long a range is left alone before its values are asked for; until then those at hand are stretched.
const REST_MS = 140;
const OVERVIEW_POINTS = 600;
const TILE_POINTS = 96;
const PARTS = ["Figures", "Curves", "Tiles", "Episodes"];

export const load = {
  id: VIEW,
  title: () => t("ld title"),
  find: (parts) => (parts.length === 0 ? (page) => new LoadView(page).open() : null),
};

class LoadView {
  constructor(page) {
    this.page = page;
    this.state = readState(page.parameters);
    this.source = loadSource(page.signal);
    this.latest = new Map();
    this.raw = { curve: [], expected: [], forecast: [], newest: [], known: [], episodes: [], overview: [], tileCurves: new Map(), tileExpected: new Map() };
    this.timer = null;
    this.wanted = new Set();
    this.frame = null;
    page.signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  async open() {
    const { page } = this;
    page.setTitle(t("ld title"));
    this.areas = [this.state.area];
    this.build();
    const [areas] = await Promise.all([this.source.areas(), this.readLatest()]);
    if (!areas.includes(this.state.area)) throw new Problem(404, t("ld no area", { area: this.state.area }));
    this.areas = areas;
    this.showAreas();
    if (this.latest.size === 0) return void fill(page.main, h("h1", {}, t("ld title")), empty(t("ld empty"), t("ld empty help")));
    let isFirst = true;
    await page.keep(async () => {
      if (!isFirst) await this.readLatest();
      isFirst = false;
      await Promise.all([this.readRange(), this.readOverview()]);
      return SECONDS;
    });
    return undefined;
  }

  build() {
    const { page } = this;
    const select = h("select", { id: "area", class: "area-choice", "aria-label": t("ld area"), onchange: () => this.choose({ area: select.value }) });
    this.select = select;
    this.name = h("span", { class: "unseen" }, this.state.area);
    this.figures = loadFigures();
    this.toolbar = loadToolbar({
      span: (name) => this.choose({ span: name, start: null, end: null }),
      zoom: (factor) => this.chart.zoom(factor),
      pan: (share) => this.chart.pan(share),
      dates: (start, end) => this.choose({ span: null, start, end }),
      detector: (detector) => this.choose({ detector }),
    });
    this.legend = loadLegend((layer) => this.toggle(layer), () => this.choose({ known: "" }));
    this.chart = loadChart(t("ld chart", { area: this.state.area }), {
      range: (start, end) => this.move(start, end),
      pick: (at) => this.pick(instantNear(at, this.model)),
      cursor: (at) => this.legend.tell(at),
      sentence: (at) => (this.model ? sentence(this.model, at) : ""),
    });
    const names = { start: t("ld overview start"), window: t("ld overview window"), end: t("ld overview end") };
    this.brush = rangeBrush(names, (start, end) => this.move(start, end));
    this.map = regionMap((area) => this.choose({ area }));
    this.when = revisions({ pick: (at) => this.pick(at), known: (known) => this.choose({ known }) });
    this.list = episodeList();
    const download = button(t("ld download"), () => act(download, () => this.download()), { kind: "link" });
    const head = h("div", { class: "load-head" }, h("div", { class: "load-name" }, h("h1", {}, h("span", { class: "sub" }, t("ld title")), this.name), select), this.figures.element);
    fill(
      page.main,
      h(
        "div", { class: "load-view" }, head,
        h("section", { class: "chart-card", "aria-label": t("ld chart", { area: this.state.area }) }, this.toolbar.element, this.legend.element, this.chart.element, this.brush.element, h("div", { class: "chart-foot" }, h("p", { class: "sub" }, t("ld chart help")), download)),
        h("div", { class: "load-below" }, this.map.element, h("div", { class: "load-side" }, this.when.element, this.list.element)), page.fresh,
      ),
    );
    this.showAreas();
  }

  /** Another area, range or expectation: a step in the history. */
  choose(changed) {
    Object.assign(this.state, changed);
    writeState(this.state, { isStep: true });
    if ("area" in changed) {
      Object.assign(this.raw, { curve: [], expected: [], forecast: [], newest: [], known: [], overview: [], isRead: false });
      this.showAreas();
    }
    if ("detector" in changed) this.raw.expected = [];
    if ("known" in changed) Object.assign(this.raw, { known: [], forecast: [] });
    const again = async () => {
      if ("detector" in changed) await this.readLatest();
      await Promise.all([this.readRange(), "area" in changed && this.readOverview()]);
    };
    this.draw();
    readAgain(again);
  }

  /** The range moves: what is at hand is drawn at once, the rest asked for when it rests. */
  move(start, end) {
    const [from, to] = [start, end].map((at) => Math.round(at / MINUTE) * MINUTE);
    Object.assign(this.state, { span: null, start: from, end: to });
    this.draw("Curves");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      writeState(this.state);
      readAgain(() => this.readRange());
    }, REST_MS);
  }

  pick(at) {
    this.state.at = at;
    writeState(this.state);
    this.draw("Curves");
    this.showVersions();
  }

  toggle(layer) {
    const { hidden } = this.state;
    if (!hidden.delete(layer)) hidden.add(layer);
    writeState(this.state);
    this.draw("Curves");
  }

  async readLatest() {
    this.latest = await this.source.latest(this.state.detector);
    this.draw("Figures");
  }

  bounds() {
    return boundsOf(this.state, this.latest.get(this.state.area) ?? null, Date.now());
  }

  /** Ask for everything of the shown range, and draw each answer as it comes. */
  async readRange() {
    const { area, detector, known } = this.state;
    const { start, end } = this.bounds();
    const question = { start, end, points: Math.min(1200, Math.max(200, Math.round(this.chart.element.clientWidth))) };
    const keep = (name, pick = (answer) => answer) => async (asked) => {
      this.raw[name] = pick(await asked);
      this.raw.isRead ||= name === "curve";
      if (name === "forecast" || name === "newest") this.draw("Figures");
      this.draw("Curves");
    };
    const one = (answer) => answer.get(area) ?? [];
    const work = [
      keep("curve", one)(this.source.curves("curve", [area], question)),
      keep("expected", one)(this.source.expected("expected", [area], detector, question)),
      keep("forecast")(this.source.forecast("forecast", area, known)),
      known ? keep("newest")(this.source.forecast("newest", area, "")) : null,
      known && keep("known", one)(this.source.curves("known", [area], { ...question, known })),
      this.source.episodes({ start, end }).then((found) => { this.raw.episodes = found; this.draw(); }),
      this.readTiles(start, end),
    ];
    if (this.state.at !== this.versionsOf || area !== this.versionsArea) this.showVersions();
    await Promise.all(work.map((asked) => settled(asked)));
  }

  async readTiles(start, end) {
    const newest = Math.max(...[...this.latest.values()].map(({ observed_at: at }) => Date.parse(at)));
    const last = Math.min(end, Math.max(start + 60 * MINUTE, newest + 15 * MINUTE));
    const question = { start, end: last, points: TILE_POINTS };
    const [curves, expected] = await Promise.all([
      this.source.curves("tiles", this.areas, question), this.source.expected("tiles expected", this.areas, this.state.detector, question),
    ]);
    Object.assign(this.raw, { tileCurves: curves, tileExpected: expected, tileRange: { start, end: last } });
    this.draw("Tiles");
  }

  async readOverview() {
    const { first, last } = this.bounds();
    const answer = await settled(this.source.curves("overview", [this.state.area], { start: first, end: last, points: OVERVIEW_POINTS }));
    if (answer) this.raw.overview = answer.get(this.state.area) ?? [];
    this.draw("Brush");
  }

  showAreas() {
    fill(this.name, this.state.area);
    fill(this.select, this.areas.map((area) => h("option", { value: area }, area)));
    this.select.value = this.state.area;
    this.chart.element.setAttribute("aria-label", t("ld chart", { area: this.state.area }));
  }

  /** Draw parts, or all, with the next picture of the screen: once for all answers that come until then. */
  draw(...parts) {
    for (const part of parts.length > 0 ? parts : PARTS) this.wanted.add(part);
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const wanted = [...this.wanted];
      this.wanted.clear();
      if (!this.page.signal.aborted) for (const part of wanted) this[`draw${part}`]();
    });
  }

  drawCurves() {
    const { state, raw } = this;
    const bounds = this.bounds();
    const both = aligned(raw.curve, raw.expected);
    this.model = {
      ...bounds, ...both, now: bounds.present, at: state.at, hidden: state.hidden,
      expected: state.hidden.has("expected") ? [] : both.expected,
      forecast: state.hidden.has("forecast") ? [] : raw.forecast,
      known: raw.known.map((point) => ({ ...point, at: point.at + both.shift })),
      episodes: raw.episodes.filter(({ area }) => area === state.area),
      anomalies: raw.expected.map(({ worst }) => worst).filter(Boolean),
      anomalyCount: raw.expected.reduce((sum, { count }) => sum + count, 0),
      nowName: t("ld now"), emptyText: raw.isRead ? t("ld nothing") : t("loading"),
    };
    this.toolbar.show(state, bounds);
    this.legend.show(this.model, state);
    this.chart.show(this.model);
    this.drawBrush();
  }

  drawBrush() {
    const { first, last, start, end } = this.bounds();
    this.brush.show({ first, last, start, end, points: this.raw.overview });
  }

  drawFigures() {
    const { area } = this.state;
    this.figures.show({ latest: this.latest.get(area) ?? null, forecast: this.state.known ? this.raw.newest : this.raw.forecast, episodes: this.raw.episodes, area, present: this.bounds().present });
  }

  drawTiles() {
    const { raw, areas, state, latest } = this;
    if (!raw.tileRange) return;
    const { start, end } = raw.tileRange;
    const series = (area) => ({
      ...aligned(raw.tileCurves.get(area) ?? [], raw.tileExpected.get(area) ?? []),
      anomalies: (raw.tileExpected.get(area) ?? []).map(({ worst }) => worst).filter(Boolean),
      episodes: raw.episodes.filter((episode) => episode.area === area),
    });
    this.map.show({ areas, state, latest, start, end, series });
  }

  drawEpisodes() {
    this.list.show({ episodes: this.raw.episodes, state: this.state });
  }

  showVersions() {
    [this.versionsOf, this.versionsArea] = [this.state.at, this.state.area];
    this.when.show(this.state, (at) => this.source.versions(this.state.area, at));
  }

  async download() {
    const { start, end } = this.bounds();
    const { area, known } = this.state;
    const name = `${area} ${iso(start).slice(0, 10)} ${iso(end).slice(0, 10)}.csv`;
    await download(["measurements"], { areas: area, start: iso(start), end: iso(end), known_at: known }, "text/csv", name, this.page.signal);
    notice(t("ld downloaded"));
  }
}

/** Wait for an answer; undefined where a newer question took its place. */
async function settled(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    return undefined;
  }
}
