// What the lines, bands and dots of a chart stand for.

import { h, svg } from "../dom.js";

const SHAPES = {
  band: () => svg("rect", { class: "band", width: 22, height: 10 }),
  flag: () => svg("circle", { class: "flag", cx: 11, cy: 5, r: 3.5 }),
};

/** @param {Array} entries of `[class of what is drawn, its name]`: a band, a flag, else a line */
export function legend(entries) {
  return h("ul", { class: "legend" }, entries.map(([kind, name]) => h("li", {}, swatch(kind), name)));
}

function swatch(kind) {
  const shape = SHAPES[kind]?.() ?? svg("line", { class: kind, x1: 0, x2: 22, y1: 5, y2: 5 });
  return svg("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" }, shape);
}
