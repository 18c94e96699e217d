// A small curve that fills its box, for many side by side.

import { svg } from "../dom.js";
import { MINUTE } from "./paris.js";
import { bandPath, dotsPath, linePath, scale } from "./paths.js";

const [WIDTH, HEIGHT] = [100, 30];

/**
 * @param {object} model `{start, end, curve, expected, anomalies, episodes, step}`, series in order of `at`
 * @returns {Element} stretched to its box; lines keep their width
 */
export function spark({ start, end, curve, expected, anomalies, episodes, step }) {
  const x = scale(start, end, 0, WIDTH);
  const values = [...curve.map(({ value }) => value), ...expected.flatMap(({ low, high }) => [low, high])];
  const y = scale(Math.min(...values), Math.max(...values), HEIGHT - 2, 3);
  const gap = Math.max(35 * MINUTE, step * 1.6);
  return svg(
    "svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    episodes.map((episode) => svg("rect", {
      class: `rail ${episode.severity}`, x: Math.max(0, x(episode.start)), y: 0, width: Math.max(1.5, x(Math.min(end, episode.end)) - Math.max(0, x(episode.start))), height: HEIGHT,
    })),
    svg("path", { class: "expected-band", d: bandPath(expected, x, ({ low }) => y(low), ({ high }) => y(high), gap) }),
    svg("path", { class: "load-line", d: linePath(curve, x, ({ value }) => y(value), gap) }),
    svg("path", { class: "anomaly-dots", d: dotsPath(anomalies, x, ({ value }) => y(value)) }),
  );
}
