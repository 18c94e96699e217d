// France and its regions where they lie, each with its newest load and its curve of the shown range.

import { HOUR, span, time } from "../../charts/paris.js";
import { spark } from "../../charts/spark.js";
import { fill, h } from "../../dom.js";
import { megawatts, shareOff } from "../../format.js";
import { t } from "../../texts.js";
import { addressOf } from "./state.js";

// Each region's place on the map, a class of the style sheet, and a name that fits it.
const PLACES = {
  "France": ["france", "France"],
  "Hauts-de-France": ["hdf", "Hauts-de-France"],
  "Bretagne": ["bre", "Bretagne"],
  "Normandie": ["nor", "Normandie"],
  "Île-de-France": ["idf", "Île-de-France"],
  "Grand Est": ["ges", "Grand Est"],
  "Pays de la Loire": ["pdl", "Pays de la Loire"],
  "Centre-Val de Loire": ["cvl", "Centre-Val de L."],
  "Bourgogne-Franche-Comté": ["bfc", "Bourgogne-F.-C."],
  "Nouvelle-Aquitaine": ["naq", "Nlle-Aquitaine"],
  "Auvergne-Rhône-Alpes": ["ara", "Auvergne-R.-A."],
  "Occitanie": ["occ", "Occitanie"],
  "Provence-Alpes-Côte d'Azur": ["pac", "Provence-A.-C. d’A."],
};
// An area that is so much behind the newest one is said to be.
const LATE = 2 * HOUR;

/**
 * @param {function} choose `(area)`: look at it
 */
export function regionMap(choose) {
  const range = h("p", { class: "sub" });
  const map = h("ul", { class: "region-map" });
  const element = h("section", { class: "regions", "aria-labelledby": "regions-title" }, h("h2", { id: "regions-title" }, t("ld regions")), range, map);
  return {
    element,
    /** @param {object} told `{areas, state, latest, start, end, series(area)}`; series as `spark` takes them */
    show(told) {
      const focused = map.contains(document.activeElement) ? document.activeElement.dataset.area : null;
      const newest = Math.max(...[...told.latest.values()].map(({ observed_at: at }) => Date.parse(at)));
      fill(range, t("ld regions range", { range: span(told.start, told.end), paris: t("ld paris") }));
      fill(map, told.areas.map((area) => h("li", { class: PLACES[area]?.[0] ?? "" }, tile(area, told, newest, choose))));
      if (focused) map.querySelector(`[data-area="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}

function tile(area, { state, latest, start, end, series }, newest, choose) {
  const row = latest.get(area);
  const told = series(area);
  const share = row && shareOff(row.judged_mw, row.expected_mw);
  const isLate = row && newest - Date.parse(row.observed_at) > LATE;
  const off = !row ? null : isLate ? t("ld since", { at: time(Date.parse(row.observed_at)) }) : share;
  const tone = row?.is_anomaly ? "bad" : isLate ? "late" : "";
  const count = told.episodes.length;
  const words = [
    t("ld tile", { area, value: row ? megawatts(row.value_mw) : t("ld no values") }),
    share && t("ld tile off", { share }), row?.is_anomaly && t("ld anomaly"),
    count > 0 && t("ld n episodes", { n: count }),
  ];
  return h(
    "a", {
      class: `tile ${tone}`, href: addressOf({ ...state, area }), title: area, "data-area": area, "aria-current": area === state.area ? "true" : null,
      "aria-label": words.filter(Boolean).join(", "),
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        choose(area);
      },
    },
    h("span", { class: "tile-name" }, PLACES[area]?.[1] ?? area),
    count > 0 && h("span", { class: "tile-count" }, String(count)),
    told.curve.length > 0 ? spark({ ...told, start, end }) : h("span", { class: "spark none" }, t("ld no values")),
    h("span", { class: "tile-value" }, row ? megawatts(row.value_mw) : "–", off && h("span", { class: "tile-off" }, row?.is_anomaly ? row.z_score > 0 ? "▲" : "▼" : "", " ", off)),
  );
}
