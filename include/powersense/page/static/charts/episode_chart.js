// An episode's curve: the load, what was expected of it with its band, and the instants that were flagged.

import { fill, h, svg } from "../dom.js";
import { megawatts, number, zScore } from "../format.js";
import { t } from "../texts.js";
import { legend } from "./legend.js";
import { dayTime, timeTicks } from "./paris.js";
import { roundTicks, scale } from "./paths.js";

const HEIGHT = 300;
const EDGE = { top: 12, right: 12, bottom: 28, left: 62 };

/**
 * @param {Array} points scores of one detector, in order of time
 * @param {object} episode whose range is shaded
 */
export function episodeChart(points, episode) {
  if (points.length === 0) return h("p", { class: "muted" }, t("ep no scores"));
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  const canvas = h("div", {
    class: "plot", tabindex: "0", role: "slider", "aria-label": t("ep curve label"), "aria-valuemin": "0", "aria-valuemax": String(points.length - 1),
  });
  let at = Math.max(0, points.findIndex((point) => point.observed_at === episode.peak_at));
  let drawn = null;
  const tell = (index) => {
    at = Math.min(points.length - 1, Math.max(0, index));
    const text = sentence(points[at]);
    canvas.setAttribute("aria-valuenow", String(at));
    canvas.setAttribute("aria-valuetext", text);
    fill(readout, text);
    drawn?.mark(points[at]);
  };
  const draw = () => {
    const width = canvas.clientWidth;
    if (width === 0 || drawn?.width === width) return;
    drawn = drawing(points, episode, width);
    fill(canvas, drawn.element);
    tell(at);
  };
  new ResizeObserver(draw).observe(canvas);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -8, PageDown: 8, Home: -points.length, End: points.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    tell(at + step);
  });
  canvas.addEventListener("pointermove", ({ clientX }) => tell(drawn.nearest(clientX - canvas.getBoundingClientRect().left)));
  tell(at);
  return h("div", { class: "chart" }, legend([["load-line", t("ep load")], ["expected-line", t("ep expected")], ["band", t("ep band")], ["flag", t("ep flagged")]]), canvas, readout);
}

function sentence(point) {
  const text = `${dayTime(Date.parse(point.observed_at))} · ${t("ep load")} ${megawatts(point.value)}`;
  if (point.expected_mw === null) return text;
  return `${text} · ${t("ep expected")} ${megawatts(point.expected_mw)} (${megawatts(point.lower_mw)} – ${megawatts(point.upper_mw)}) · ${zScore(point.z_score)}`;
}

function drawing(points, episode, width) {
  const times = points.map((point) => Date.parse(point.observed_at));
  const known = points.filter((point) => point.expected_mw !== null);
  const values = points.flatMap((point) => [point.value, point.lower_mw, point.upper_mw]).filter((value) => value !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const spare = (high - low || 1) * 0.05;
  const x = scale(times[0], times.at(-1), EDGE.left, width - EDGE.right);
  const y = scale(low - spare, high + spare, HEIGHT - EDGE.bottom, EDGE.top);
  const place = (point, value) => `${x(Date.parse(point.observed_at)).toFixed(1)},${y(value).toFixed(1)}`;
  const line = (kind, some, pick) => svg("polyline", { class: kind, points: some.map((point) => place(point, pick(point))).join(" ") });
  const band = [...known.map((point) => place(point, point.upper_mw)), ...known.toReversed().map((point) => place(point, point.lower_mw))];
  const cursor = svg("g", { class: "cursor" });
  const [from, to] = [Date.parse(episode.started_at), Date.parse(episode.ended_at)].map(x);
  const element = svg(
    "svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
    svg("rect", { class: "shade", x: from, y: EDGE.top, width: Math.max(2, to - from), height: HEIGHT - EDGE.top - EDGE.bottom }),
    axes({ x, y, width, values: roundTicks(low - spare, high + spare, 5), times: timeTicks(times[0], times.at(-1), Math.max(2, width / 110)) }),
    band.length > 0 && svg("polygon", { class: "band", points: band.join(" ") }),
    line("expected-line", known, (point) => point.expected_mw), line("load-line", points, (point) => point.value),
    points.filter((point) => point.is_anomaly).map((point) => svg("circle", { class: "flag", cx: x(Date.parse(point.observed_at)), cy: y(point.value), r: points.length > 200 ? 2.2 : 3 })), cursor,
  );
  return {
    element,
    width,
    nearest: (place) => times.reduce((best, time, index) => (Math.abs(x(time) - place) < Math.abs(x(times[best]) - place) ? index : best), 0),
    mark(point) {
      const across = x(Date.parse(point.observed_at));
      fill(cursor, svg("line", { x1: across, x2: across, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }), svg("circle", { cx: across, cy: y(point.value), r: 4.5 }));
    },
  };
}

function axes({ x, y, width, values, times }) {
  return svg(
    "g", { class: "axes" },
    values.map((value) => [svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }), svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value))]),
    times.map(({ at, label }) => svg("text", { x: x(at), y: HEIGHT - 8, "text-anchor": "middle" }, label)),
  );
}
