// What the views of episodes share: their tabs, and an episode in words.

import { h } from "../../dom.js";
import { duration, signed, zScore } from "../../format.js";
import { badge, tabs } from "../../parts.js";
import { link } from "../../router.js";
import { t } from "../../texts.js";

export const VIEW = "episodes";

/** The two halves of this view. */
export function episodeTabs(current) {
  return tabs(t("episodes"), [
    { text: t("episodes"), href: link([VIEW]), isCurrent: current === "episodes" },
    { text: t("th title"), href: link([VIEW, "thresholds"]), isCurrent: current === "thresholds" },
  ]);
}

/** Whether an episode goes on. */
export function stateBadge(row) {
  return badge(row.state, t(`ep state ${row.state}`), row.state === "open" ? "run" : "plain");
}

/** How long an episode lasted, and how many of its points were flagged. */
export function length(row) {
  return `${duration((new Date(row.ended_at) - new Date(row.started_at)) / 1000)} · ${t("ep points", { n: row.points })}`;
}

/** How far the load was from what is expected, at worst. */
export function deviation(row) {
  return [
    h("span", { class: "strong" }, h("span", { class: "arrow", "aria-hidden": "true" }, row.direction === "low" ? "▼ " : "▲ "), signed(row.peak_deviation_mw, "MW")),
    h("span", { class: "sub" }, zScore(row.peak_z_score)),
  ];
}

/** Why it was found, as it stands on the page; the detector's own words on hover. */
export function explanation(row) {
  return h("span", { class: "explained", title: row.explanation }, explained(row));
}

/** Why it was found, in the page's language: the detector's own words, which are English, or the same of its figures. */
export function explained(row) {
  if (document.documentElement.lang === "en") return row.explanation;
  const paris = new Intl.DateTimeFormat(document.documentElement.lang, { timeZone: "Europe/Paris", dateStyle: "long", timeStyle: "short" });
  const told = (at) => paris.format(new Date(at));
  return t("ep explained", {
    area: row.area,
    side: t(row.direction === "low" ? "th below" : "th above"),
    when: t(row.state === "open" ? "ep since" : "ep from to", { start: told(row.started_at), end: told(row.ended_at) }),
    mw: signed(row.peak_deviation_mw, "MW"), peak: told(row.peak_at), z: zScore(row.peak_z_score), n: row.points,
  });
}
