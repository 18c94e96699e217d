// The episodes of the shown range: those of the area, and those of the others.

import { HOUR, span } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { signed, zScore } from "../../format.js";
import { severity } from "../../parts.js";
import { link } from "../../router.js";
import { t } from "../../texts.js";
import { explained } from "../episodes/parts.js";
import { MOST_EPISODES } from "./data.js";
import { addressOf } from "./state.js";

export function episodeList() {
  const body = h("div", {});
  const element = h("section", { class: "load-episodes", "aria-labelledby": "episodes-title" }, h("h2", { id: "episodes-title" }, t("ld episodes")), body);
  let areOthersOpen = null;
  return {
    element,
    show({ episodes, state }) {
      const here = episodes.filter(({ area }) => area === state.area);
      const others = episodes.filter(({ area }) => area !== state.area);
      const list = (found) => h("ul", { class: "episode-list" }, found.map((episode) => item(episode, state)));
      fill(
        body,
        here.length > 0 ? list(here) : h("p", { class: "muted" }, t("ld no episodes")),
        others.length > 0 && h(
          "details", { open: areOthersOpen ?? here.length === 0, onclick: (event) => { if (event.target.closest("summary")) areOthersOpen = !event.currentTarget.open; } },
          h("summary", {}, t("ld other areas", { n: others.length })), list(others),
        ),
        episodes.length >= MOST_EPISODES && h("p", { class: "muted" }, t("ld cut", { n: MOST_EPISODES })),
      );
    },
  };
}

function item(episode, state) {
  const around = Math.max(6 * HOUR, episode.end - episode.start);
  const there = addressOf({ ...state, area: episode.area, span: null, start: episode.start - around, end: episode.end + around, at: Date.parse(episode.peak_at) });
  const worst = { mw: signed(episode.peak_deviation_mw, "MW"), z: zScore(episode.peak_z_score) };
  return h(
    "li", {},
    severity(episode.severity),
    h(
      "span", { class: "episode-text" },
      h("a", { class: "strong", href: there }, episode.area === state.area ? "" : `${episode.area}, `, span(episode.start, episode.end)),
      h("span", { class: "sub" }, t("ld deviation", worst), episode.state === "open" && ` · ${t("ld open")}`),
    ),
    h("a", { class: "explain", href: link(["episodes", episode.episode_id]), title: explained(episode) }, t("ld explain")),
  );
}
