// The forecasts' error by days ahead, and RTE's of the day before as a line beside it.

import { fill, h, svg } from "../dom.js";
import { t } from "../texts.js";
import { linear, ticks } from "./scale.js";

const HEIGHT = 260;
const EDGE = { top: 20, right: 24, bottom: 32, left: 56 };

/** @param {Array} leads of `{lead, mape, rte_mape}`, in order of lead */
export function leadChart(leads) {
  const canvas = h("div", { class: "plot", role: "img", "aria-label": t("sc chart label", { leads: leads.map(({ lead, mape }) => `${lead}: ${shown(mape)}`).join(", ") }) });
  let width = 0;
  const draw = () => {
    if (canvas.clientWidth === 0 || canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    fill(canvas, drawing(leads, width));
  };
  new ResizeObserver(draw).observe(canvas);
  return h("div", { class: "chart" }, legend(leads), canvas);
}

function shown(share) {
  if (share === null) return "–";
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(share);
}

function legend(leads) {
  const key = (kind, text) => h("li", {}, svg("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" }, svg("line", { class: kind, x1: 0, x2: 22, y1: 5, y2: 5 })), text);
  return h("ul", { class: "legend" }, key("ours", t("sc our error")), leads.some(({ rte_mape: rte }) => rte !== null) && key("rte", t("sc rte error")));
}

function drawing(leads, width) {
  const values = leads.flatMap((row) => [row.mape, row.rte_mape]).filter((value) => value !== null);
  const top = Math.max(...values) * 1.12;
  const x = linear([Math.min(...leads.map(({ lead }) => lead)) - 0.3, Math.max(...leads.map(({ lead }) => lead)) + 0.3], [EDGE.left, width - EDGE.right]);
  const y = linear([0, top], [HEIGHT - EDGE.bottom, EDGE.top]);
  const line = (kind, name) => svg("polyline", { class: kind, points: leads.filter((row) => row[name] !== null).map((row) => `${x(row.lead).toFixed(1)},${y(row[name]).toFixed(1)}`).join(" ") });
  return svg(
    "svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
    svg("g", { class: "axes" }, ticks(0, top, 4).map((value) => [
      svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }), svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, percentTick(value)),
    ]), leads.map(({ lead }) => svg("text", { x: x(lead), y: HEIGHT - 10, "text-anchor": "middle" }, width > 640 ? t("sc lead short", { n: lead }) : String(lead)))),
    line("rte", "rte_mape"), line("ours", "mape"),
    leads.filter(({ mape }) => mape !== null).map((row, index, some) => [
      svg("circle", { class: "ours-dot", cx: x(row.lead), cy: y(row.mape), r: 4 }),
      (width / some.length > 90 || index % 3 === 0) && svg("text", { class: "value", x: x(row.lead), y: y(row.mape) - 10, "text-anchor": "middle" }, shown(row.mape)),
    ]),
  );
}

function percentTick(share) {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumFractionDigits: 1 }).format(share);
}
