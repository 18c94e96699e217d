// The legend of the load chart, which tells the values at the cursor and turns layers on and off.

import { HOUR, MINUTE, dateTime, day, dayTime, span } from "../../charts/paris.js";
import { nearest } from "../../charts/paths.js";
import { fill, h } from "../../dom.js";
import { megawatts, number } from "../../format.js";
import { button } from "../../parts.js";
import { t } from "../../texts.js";

const HALF_HOUR = 30 * MINUTE;

/**
 * @param {function} toggle `(layer)`: show or hide it
 * @param {function} forgetKnown back to what is known now
 */
export function loadLegend(toggle, forgetKnown) {
  const when = h("span", { class: "legend-when" });
  const items = h("div", { class: "legend-items", role: "group", "aria-label": t("ld legend") });
  const element = h("div", { class: "load-legend" }, when, items);
  const cells = new Map();
  let model = null;

  function build(state) {
    cells.clear();
    const item = (layer, name, isToggle = false) => {
      const value = h("span", { class: `legend-value ${layer}` });
      cells.set(layer, value);
      const content = [h("span", { class: `swatch ${layer}`, "aria-hidden": "true" }), h("span", { class: "legend-name" }, name), value];
      if (!isToggle) return h("span", { class: "legend-item" }, content);
      return h("button", { type: "button", class: "legend-item", "aria-pressed": String(!state.hidden.has(layer)), "data-layer": layer, onclick: () => toggle(layer) }, content);
    };
    fill(
      items,
      item("load", t("ld load")),
      state.known && h(
        "span", { class: "legend-known" },
        item("known", t("ld known", { at: dateTime(Date.parse(state.known)) })),
        button("×", forgetKnown, { kind: "quiet", label: t("ld known off") }),
      ),
      item("expected", t("ld expected"), true),
      item("forecast", t("ld forecast"), true),
      item("anomalies", t("ld anomalies")),
    );
  }

  return {
    element,
    /** Show the values of an instant; null: of the newest one. */
    tell(at) {
      if (!model) return;
      const shown = at ?? model.curve.findLast((point) => point.at <= model.end)?.at ?? model.start;
      const values = valuesAt(model, shown);
      fill(when, instantText(model, shown));
      cells.get("load")?.replaceChildren(values.load);
      cells.get("known")?.replaceChildren(values.known);
      cells.get("expected")?.replaceChildren(model.hidden.has("expected") ? "" : values.expected);
      cells.get("forecast")?.replaceChildren(model.hidden.has("forecast") ? "" : values.forecast);
      cells.get("anomalies")?.replaceChildren(number(model.anomalyCount));
    },
    show(next, state) {
      model = next;
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.layer : null;
      build(state);
      if (focused) items.querySelector(`[data-layer="${focused}"]`)?.focus();
    },
  };
}

/** Return an instant's values in words, for the legend and for those who listen. */
function valuesAt(model, at) {
  const reach = Math.max(model.step / 2, 1);
  const point = (points, within = reach) => nearest(points, at, within);
  const range = (low, high) => `${number(Math.round(low))} – ${number(Math.round(high))}`;
  const load = point(model.curve);
  const known = point(model.known);
  const expected = point(model.expected);
  const forecast = point(model.forecast, Math.max(reach, HALF_HOUR / 2));
  return {
    load: load ? (model.isBucketed && model.step > HALF_HOUR ? `${megawatts(load.value)} (${range(load.low, load.high)})` : megawatts(load.value)) : "–",
    known: known ? megawatts(known.value) : "–",
    expected: expected ? `${megawatts(expected.value)} (${range(expected.low, expected.high)})` : "–",
    forecast: forecast ? `${megawatts(forecast.value)} (${range(forecast.q100, forecast.q900)})` : "–",
    isAnomaly: Boolean(expected?.count),
  };
}

/** An instant, or the bucket around it. */
function instantText({ curve, shift }, at) {
  if (shift === 0 || at > (curve.at(-1)?.at ?? -Infinity) + shift) return dayTime(at);
  return shift < 6 * HOUR ? span(at - shift, at + shift) : [...new Set([day(at - shift), day(at + shift - 1)])].join(" – ");
}

/** The same as one sentence. */
export function sentence(model, at) {
  const { load, expected, forecast, known, isAnomaly } = valuesAt(model, at);
  const told = [[t("ld load"), load], [t("ld expected"), expected], [t("ld forecast"), forecast], [t("ld known", { at: "" }).trim(), known]];
  const words = told.filter(([, value]) => value !== "–").map(([name, value]) => `${name} ${value}`);
  return [instantText(model, at), ...(words.length > 0 ? words : [t("ld no values")]), ...(isAnomaly ? [t("ld anomaly")] : [])].join(", ");
}
