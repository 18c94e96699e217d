// Episodes: what detectors found, and what people say it was.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { duration, number } from "../format.js";
import { badge, button, empty, heading, paged, table, tabs } from "../parts.js";
import { goInstead, link } from "../router.js";
import { t } from "../texts.js";
import { areaEntries, areas, chips, choice, chosen, readAgain, severity, signed, span } from "./controls.js";
import { showEpisode } from "./episode.js";
import { labelDialog, LABELS, labelBadge } from "./label.js";
import { showThresholds } from "./thresholds.js";

const VIEW = "episodes";
const PERIODS = { "7d": 7, "30d": 30, "365d": 365 };
const DAY = 86_400_000;

export const episodes = {
  find(parts) {
    const [id, rest] = parts;
    if (rest !== undefined) return null;
    if (id === undefined) return showEpisodes;
    if (id === "thresholds") return showThresholds;
    return (page) => showEpisode(page, id);
  },
};

/** The two halves of this view. */
export function episodeTabs(current) {
  return tabs(t("episodes"), [
    { text: t("episodes"), href: link([VIEW]), isCurrent: current === "episodes" },
    { text: t("th title"), href: link([VIEW, "thresholds"]), isCurrent: current === "thresholds" },
  ]);
}

async function showEpisodes(page) {
  page.setTitle(t("episodes"));
  const wanted = { label: page.parameters.label ?? "", area: page.parameters.area ?? "", period: page.parameters.period ?? "" };
  const selection = new Map();
  const bar = h("div", { class: "selection", role: "region", "aria-label": t("ep selection"), hidden: true });
  const listing = table(t("episodes"), columns(selection, () => showBar()), ({ episode_id: id }) => id, { rowClass: (row) => `severity-${row.severity}` });
  const pages = paged(
    listing,
    (after) => get(["episodes"], question(wanted, after), page.signal),
    () => empty(t("ep none"), t(Object.keys(chosen(wanted)).length > 0 ? "ep none fit help" : "ep none help")),
  );
  let shown = [];
  const refresh = async () => {
    shown = await pages.refresh();
    for (const id of selection.keys()) if (!shown.some((row) => row.episode_id === id)) selection.delete(id);
    showBar();
    return 30;
  };
  function showBar() {
    bar.hidden = selection.size === 0;
    const had = bar.contains(document.activeElement);
    fill(
      bar, h("strong", {}, selection.size === 1 ? t("ep selected one") : t("ep selected", { n: number(selection.size) })),
      button(t("ep select all", { n: number(shown.length) }), () => tick(shown.map((row) => row.episode_id)), { kind: "link" }),
      button(t("ep clear"), () => tick([]), { kind: "link" }),
      button(t("ep label them"), () => labelDialog([...selection.values()], async () => { tick([]); await refresh(); }), { kind: "primary" }),
    );
    if (had && bar.hidden) page.main.focus({ preventScroll: true });
  }
  function tick(ids) {
    selection.clear();
    for (const row of shown) if (ids.includes(row.episode_id)) selection.set(row.episode_id, row);
    for (const box of listing.element.querySelectorAll("input[data-episode]")) box.checked = selection.has(box.dataset.episode);
    showBar();
  }
  const filters = filtersOf(wanted, await areas(page.signal), refresh);
  fill(page.main, heading({ title: t("episodes"), lead: t("ep lead") }), episodeTabs("episodes"), filters, pages.element, bar, page.fresh);
  await page.keep(refresh);
}

function filtersOf(wanted, known, refresh) {
  const change = async (changes) => {
    Object.assign(wanted, changes);
    goInstead([VIEW], chosen(wanted));
    show();
    await readAgain(refresh);
  };
  const labels = chips(t("ep label"), (label) => change({ label }));
  const show = () => labels.show([
    { id: "", text: t("all") }, { id: "none", text: t("ep unlabelled") }, ...LABELS.map((id) => ({ id, text: t(`label ${id}`) })),
  ], wanted.label);
  show();
  return h(
    "div", { class: "filters" }, labels.element, h("span", { class: "choices" },
      choice("area", t("area"), areaEntries(known), wanted.area, (area) => change({ area })),
      choice("period", t("period"), [["", t("period all")], ...Object.keys(PERIODS).map((id) => [id, t(`period ${id}`)])], wanted.period, (period) => change({ period })),
    ),
  );
}

function question({ label, area, period }, after) {
  const start = PERIODS[period] ? new Date(Date.now() - PERIODS[period] * DAY).toISOString() : "";
  return { labels: label, areas: area, start, after, limit: 50 };
}

function columns(selection, changed) {
  return [
    { name: t("ep choose"), kind: "tick", cell: (row) => h("input", {
      type: "checkbox", "aria-label": t("ep choose one", { area: row.area }), "data-episode": row.episode_id, "data-focus": `tick ${row.episode_id}`, checked: selection.has(row.episode_id),
      onchange: ({ target }) => {
        if (target.checked) selection.set(row.episode_id, row);
        else selection.delete(row.episode_id);
        changed();
      },
    }) },
    { name: t("area"), kind: "wide-left", cell: (row) => [h("a", { class: "strong", href: link([VIEW, row.episode_id]), "data-focus": row.episode_id }, row.area), h("span", { class: "sub" }, length(row))] },
    { name: t("ep when"), kind: "when", cell: (row) => span(row.started_at, row.ended_at) },
    { name: t("ep deviation"), kind: "number", cell: deviation },
    { name: t("severity"), cell: (row) => h("span", { class: "badges" }, severity(row.severity), row.state !== "closed" && badge(row.state, t(`ep state ${row.state}`), row.state === "open" ? "run" : "plain")) },
    { name: t("ep explanation"), kind: "wide", cell: (row) => explanation(row) },
    { name: t("ep label"), cell: (row) => row.label ? [labelBadge(row.label), h("span", { class: "sub" }, row.labelled_by)] : h("span", { class: "muted" }, "–") },
  ];
}

/** How long an episode lasted, and how many of its points were flagged. */
export function length(row) {
  return `${duration((new Date(row.ended_at) - new Date(row.started_at)) / 1000)} · ${t("ep points", { n: number(row.points) })}`;
}

/** How far the load was from what is expected, at worst. */
export function deviation(row) {
  return [
    h("span", { class: "strong" }, h("span", { class: "arrow", "aria-hidden": "true" }, row.direction === "low" ? "▼ " : "▲ "), signed(row.peak_deviation_mw, "MW")),
    h("span", { class: "sub" }, `z = ${signed(row.peak_z_score, "", 1)}`),
  ];
}

/** Why it was found, in the page's language; the detector's own words are English. */
export function explanation(row) {
  if (document.documentElement.lang === "en") return h("span", { class: "explained" }, row.explanation);
  const paris = new Intl.DateTimeFormat("fr", { timeZone: "Europe/Paris", dateStyle: "long", timeStyle: "short" });
  return h("span", { class: "explained", title: row.explanation }, t(`ep explained ${row.direction === "low" ? "low" : "high"}`, {
    area: row.area, start: paris.format(new Date(row.started_at)), end: paris.format(new Date(row.ended_at)),
    peak: paris.format(new Date(row.peak_at)), mw: signed(row.peak_deviation_mw, "MW"), z: signed(row.peak_z_score, "", 1), n: number(row.points),
  }));
}
