// The forecasts' error by days ahead, and RTE's of the day before as a line beside it.

import { fill, h, svg } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../texts.js";
import { legend } from "./legend.js";
import { roundTicks, scale } from "./paths.js";

// Axes name whole percents and halves of them.
const TICK = { maximumFractionDigits: 1 };
// What a figure above a point takes of the width.
const LABEL = 48;
const HEIGHT = 260;
const EDGE = { top: 20, right: 24, bottom: 32, left: 56 };

/** @param {Array} leads of `{lead, mape, rte_mape}`, in order of lead */
export function leadChart(leads) {
  const canvas = h("div", { class: "plot", role: "img", "aria-label": t("sc chart label", { leads: leads.map(({ lead, mape }) => `${lead}: ${percent(mape, 2)}`).join(", ") }) });
  let width = 0;
  const draw = () => {
    if (canvas.clientWidth === 0 || canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    fill(canvas, drawing(leads, width));
  };
  new ResizeObserver(draw).observe(canvas);
  return h("div", { class: "chart" }, names(leads), canvas);
}

function names(leads) {
  const isBesideRte = leads.some(({ rte_mape: rte }) => rte !== null);
  return legend([["ours", t("sc our error")], ...(isBesideRte ? [["rte", t("sc rte error")]] : [])]);
}

function drawing(leads, width) {
  const values = leads.flatMap((row) => [row.mape, row.rte_mape]).filter((value) => value !== null);
  const top = Math.max(...values) * 1.12;
  const days = leads.map(({ lead }) => lead);
  const x = scale(Math.min(...days) - 0.3, Math.max(...days) + 0.3, EDGE.left, width - EDGE.right);
  const y = scale(0, top, HEIGHT - EDGE.bottom, EDGE.top);
  const line = (kind, name) => svg("polyline", { class: kind, points: leads.filter((row) => row[name] !== null).map((row) => `${x(row.lead).toFixed(1)},${y(row[name]).toFixed(1)}`).join(" ") });
  return svg(
    "svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
    svg("g", { class: "axes" }, roundTicks(0, top, 4).map((value) => [
      svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }), svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, percent(value, 0, TICK)),
    ]), leads.map(({ lead }) => svg("text", { x: x(lead), y: HEIGHT - 10, "text-anchor": "middle" }, width > 640 ? t("sc lead short", { n: lead }) : String(lead)))),
    line("rte", "rte_mape"), line("ours", "mape"),
    leads.filter(({ mape }) => mape !== null).map((row, index, some) => [
      svg("circle", { class: "ours-dot", cx: x(row.lead), cy: y(row.mape), r: 4 }),
      (width / some.length > 90 || index % 3 === 0) && svg("text", { class: "value", x: Math.max(x(row.lead), EDGE.left + LABEL / 2), y: y(row.mape) - 10, "text-anchor": "middle" }, percent(row.mape, 2)),
    ]),
  );
}
