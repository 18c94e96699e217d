// The bands that false alarms have widened, and the labels to take back.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { decimal, instant, number, stretch } from "../../format.js";
import { empty, heading, shownOr, table } from "../../parts.js";
import { link } from "../../router.js";
import { t } from "../../texts.js";
import { takeBack } from "./label.js";
import { VIEW, episodeTabs } from "./parts.js";

const SHOWN = 5;

export async function showThresholds(page) {
  page.setTitle(t("th title"));
  let labelled = new Map();
  const listing = table(t("th title"), [
    { name: t("area"), cell: (kind) => h("span", { class: "strong" }, kind.area) },
    { name: t("th direction"), cell: (kind) => t(kind.direction === "low" ? "th below" : "th above") },
    { name: t("ep detector"), cell: (kind) => h("span", { class: "mono" }, kind.detector) },
    { name: t("th factor"), kind: "number", cell: (kind) => h("span", { class: "strong" }, `× ${decimal(kind.factor, 2)}`) },
    { name: t("th since"), kind: "when", cell: (kind) => instant(kind.since) },
    { name: t("th alarms"), kind: "wide", cell: (kind) => alarms(kind, labelled, refresh) },
  ], (kind) => `${kind.detector} ${kind.area} ${kind.direction}`);
  const bands = shownOr(listing, () => empty(t("th none"), t("th none help")));
  async function refresh() {
    const [kinds, { items }] = await Promise.all([
      get(["thresholds"], {}, page.signal), get(["episodes"], { labels: "false_alarm", limit: 1000 }, page.signal),
    ]);
    labelled = new Map(items.map((episode) => [episode.episode_id, episode]));
    bands.show(kinds);
    return 30;
  }
  fill(page.main, heading({ title: t("episodes"), lead: t("th lead") }), episodeTabs("thresholds"), bands.element, page.fresh);
  await page.keep(refresh);
}

/** The newest of the episodes that widened a band; one that a rescore took away has only its id left. */
function alarms(kind, labelled, refresh) {
  const rest = kind.episodes.length - SHOWN;
  return h(
    "ul", { class: "alarms" },
    kind.episodes.slice(0, SHOWN).map((id) => h("li", {}, labelled.has(id) ? h("a", { href: link([VIEW, id]) }, stretch(labelled.get(id).started_at, labelled.get(id).ended_at)) : h("span", { class: "mono" }, id), takeBack(id, refresh))),
    rest > 0 && h("li", {}, h("a", { href: link([VIEW], { label: "false_alarm", area: kind.area }) }, t("th more", { n: rest }))),
  );
}
