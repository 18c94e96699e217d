// Episodes: what detectors found, and what people say it was.

import { get } from "../../api.js";
import { DAY } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { chips, choice, isNarrowed, narrowing } from "../../filters.js";
import { number, stretch } from "../../format.js";
import { button, empty, heading, paged, severity, table } from "../../parts.js";
import { finder, link } from "../../router.js";
import { t } from "../../texts.js";
import { areaEntries, areas } from "../areas.js";
import { showEpisode } from "./episode.js";
import { labelDialog, LABELS, labelBadge } from "./label.js";
import { VIEW, deviation, episodeTabs, explanation, length, stateBadge } from "./parts.js";
import { showThresholds } from "./thresholds.js";

const PERIODS = { "7d": 7, "30d": 30, "365d": 365 };

export const episodes = { find: finder(showEpisodes, { thresholds: showThresholds }, showEpisode) };

async function showEpisodes(page) {
  page.setTitle(t("episodes"));
  const wanted = { label: page.parameters.label ?? "", area: page.parameters.area ?? "", period: page.parameters.period ?? "" };
  const selection = new Map();
  const bar = h("div", { class: "selection", role: "region", "aria-label": t("ep selection"), hidden: true });
  const listing = table(t("episodes"), columns(selection, () => showBar()), ({ episode_id: id }) => id, { rowClass: (row) => `severity-${row.severity}` });
  const pages = paged(
    listing,
    (after) => get(["episodes"], question(wanted, after), page.signal),
    () => empty(t("ep none"), t(isNarrowed(wanted) ? "ep none fit help" : "ep none help")),
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
      bar, h("strong", {}, t("ep selected", { n: selection.size })),
      button(t("ep select all", { n: shown.length }), () => tick(shown.map((row) => row.episode_id)), { kind: "link" }),
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
  const filters = filtersOf(wanted, await areas(page.signal), narrowing([VIEW], wanted, refresh));
  fill(page.main, heading({ title: t("episodes"), lead: t("ep lead") }), episodeTabs("episodes"), filters, pages.element, bar, page.fresh);
  await page.keep(refresh);
}

function filtersOf(wanted, known, change) {
  const labels = chips(t("ep label"), (label) => change({ label }));
  labels.show([
    { id: "", text: t("all") }, { id: "none", text: t("ep unlabelled") }, ...LABELS.map((id) => ({ id, text: t(`label ${id}`) })),
  ], wanted.label);
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
    { name: t("ep when"), kind: "when", cell: (row) => stretch(row.started_at, row.ended_at) },
    { name: t("ep deviation"), kind: "number", cell: deviation },
    { name: t("severity"), cell: (row) => h("span", { class: "badges" }, severity(row.severity), row.state !== "closed" && stateBadge(row)) },
    { name: t("ep explanation"), kind: "wide", cell: (row) => explanation(row) },
    { name: t("ep label"), cell: (row) => row.label ? [labelBadge(row.label), h("span", { class: "sub" }, row.labelled_by)] : h("span", { class: "muted" }, "–") },
  ];
}
