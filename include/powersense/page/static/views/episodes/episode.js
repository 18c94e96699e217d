// One episode: its curve against what was expected, why it was found, and what people say it was.

import { get } from "../../api.js";
import { episodeChart } from "../../charts/episode_chart.js";
import { HOUR, dayTime } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { instant, iso, number, signed, stretch } from "../../format.js";
import { facts, heading, runLink, severity, table } from "../../parts.js";
import { link } from "../../router.js";
import { t } from "../../texts.js";
import { labelBadge, labelForm, takeBack } from "./label.js";
import { VIEW, deviation, explanation, length, stateBadge } from "./parts.js";

const SCORING = "score_anomalies";

export async function showEpisode(page, id) {
  page.setTitle(t("episode"));
  const head = h("div", { class: "head" });
  const curve = h("section", { class: "card chart-card" });
  const label = h("section", { class: "card label-card" });
  const said = h("section", { class: "card" });
  let told = "";
  async function refresh() {
    const episode = await get(["episodes", id], {}, page.signal);
    const now = JSON.stringify(episode);
    if (now !== told && !label.contains(document.activeElement)) {
      const isNew = JSON.parse(told || "{}").updated_at !== episode.updated_at;
      told = now;
      page.setTitle(`${episode.area} · ${t("episode")}`);
      showHead(head, episode);
      showLabel(label, episode, reload);
      showSaid(said, episode);
      if (isNew) await showCurve(curve, episode, page.signal);
    }
    if (!head.isConnected) fill(page.main, head, curve, h("div", { class: "two" }, label, said), page.fresh);
    return 30;
  }
  // Whoever has just labelled still holds the focus in the form.
  async function reload() {
    if (label.contains(document.activeElement)) page.main.focus({ preventScroll: true });
    await refresh();
  }
  await page.keep(refresh);
}

function showHead(head, episode) {
  fill(
    head,
    heading({
      trail: [[t("episodes"), link([VIEW])]],
      title: episode.area,
      badges: [severity(episode.severity), stateBadge(episode), episode.label && labelBadge(episode.label)].filter(Boolean),
      lead: explanation(episode),
      actions: [h("a", { class: "button plain", href: loadAddress(episode) }, t("ep see load"))],
    }),
    facts([
      [t("ep when"), stretch(episode.started_at, episode.ended_at), h("span", { class: "sub" }, length(episode))],
      [t("ep deviation"), deviation(episode), h("span", { class: "sub" }, dayTime(Date.parse(episode.peak_at)))],
      [t("ep detector"), h("span", { class: "mono" }, episode.detector)],
      [t("ep written by"), runLink(SCORING, episode.run_id), h("span", { class: "sub" }, instant(episode.updated_at))],
    ]),
  );
}

/** The address of the area's curve, with some hours around the episode. */
function loadAddress(episode) {
  const [start, end] = around(episode);
  return link(["load"], { area: episode.area, start, end });
}

function around({ started_at: start, ended_at: end }) {
  const [first, last] = [Date.parse(start), Date.parse(end)];
  const margin = Math.max(6 * HOUR, (last - first) / 3);
  return [first - margin, last + margin].map(iso);
}

async function showCurve(box, episode, signal) {
  const [start, end] = around(episode);
  const question = { areas: episode.area, metrics: episode.metric, start, end, limit: 10_000 };
  const { items } = await get(["scores"], question, signal);
  const points = items.filter(({ detector }) => detector === episode.detector);
  fill(box, h("h2", {}, t("ep curve")), episodeChart(points, episode), h("details", { class: "figures-table" }, h("summary", {}, t("ep figures")), scoreTable(points)));
}

function scoreTable(points) {
  const mw = (value) => (value === null ? "–" : number(Math.round(value)));
  const listing = table(t("ep figures"), [
    { name: t("ep instant"), cell: (point) => dayTime(Date.parse(point.observed_at)) },
    { name: t("ep load mw"), kind: "number", cell: (point) => mw(point.value) },
    { name: t("ep expected mw"), kind: "number", cell: (point) => mw(point.expected_mw) },
    { name: t("ep band mw"), kind: "number", cell: (point) => `${mw(point.lower_mw)} – ${mw(point.upper_mw)}` },
    { name: "z", kind: "number", cell: (point) => (point.z_score === null ? "–" : signed(point.z_score, "", 1)) },
  ], (point) => point.observed_at, { rowClass: (point) => (point.is_anomaly ? "flagged" : ""), isCompact: true });
  listing.show(points);
  return listing.element;
}

function showLabel(box, episode, reload) {
  fill(box, h("h2", {}, t("ep label")), labelForm([episode], reload), episode.label && h("div", { class: "take-back" }, takeBack(episode.episode_id, reload), h("span", { class: "sub" }, t("take back help"))));
}

function showSaid(box, episode) {
  fill(box, h("h2", {}, t("ep said")), episode.labels.length === 0 ? h("p", { class: "muted" }, t("ep nothing said")) : h("ol", { class: "timeline" }, episode.labels.map((said) => h(
    "li", {}, h("div", {}, said.label ? labelBadge(said.label) : h("span", { class: "strong" }, t("ep was taken back")), h("span", { class: "sub" }, said.author, " · ", instant(said.labelled_at))), said.comment && h("p", { class: "comment" }, said.comment),
  ))));
}
