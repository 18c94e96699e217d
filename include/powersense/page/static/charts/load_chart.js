// The load curve of a range: what was measured, expected and forecast; a cursor for pointer and keyboard, zoom and pan.

import { fill, h, svg } from "../dom.js";
import { number } from "../format.js";
import { HOUR, MINUTE, dayTime, time, timeTicks, weekends } from "./paris.js";
import { bandPath, dotsPath, linePath, nearest, roundTicks, scale } from "./paths.js";
import { watchPointer } from "./pointer.js";

const EDGE = { top: 14, right: 10, bottom: 26, left: 58 };
const LEAST_SPAN = 3 * HOUR;
// Values of half-hours and quarters stand side by side: only what is further apart is a gap.
const LEAST_GAP = 35 * MINUTE;

const LAYERS = [
  ["path", "expected-band"], ["path", "expected-line"], ["path", "fan outer"], ["path", "fan middle"], ["path", "fan inner"], ["path", "forecast-line"],
  ["path", "envelope"], ["path", "load-line"], ["path", "known-line"], ["path", "anomaly-dots"],
];

/**
 * @param {string} label what the chart is called
 * @param {object} told `range(start, end)`: another range is wanted; `pick(at)`: an instant is chosen; `cursor(at|null)`: it is pointed at;
 *   `sentence(at)`: an instant's values in words
 * @returns {{element, show(model)}} model: `{start, end, first, last, now, step, curve, envelope, expected, forecast, known, episodes, anomalies, at}`,
 *   each series in order of `at`
 */
export function loadChart(label, told) {
  const root = svg("svg", { class: "load-chart", "aria-hidden": "true" });
  const flag = h("span", { class: "cursor-flag", hidden: true });
  const element = h("div", { class: "chart-frame", tabindex: "0", role: "slider", "aria-label": label, "aria-keyshortcuts": "Enter + -" }, root, flag);
  let model = null;
  let view = null;
  let cursor = null;
  let dragged = [null, null];

  function draw() {
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!model || width === 0) return;
    view = layout(model, width, height);
    root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    fill(root, drawing(model, view));
    band(...dragged);
    point(cursor);
  }

  /** Point at an instant: a line through the curves, and their values there. */
  function point(at) {
    cursor = at === null || !model ? null : Math.min(model.end, Math.max(model.start, at));
    const marks = root.querySelector(".cursor-marks");
    if (!marks) return;
    const found = cursor === null ? null : nearest(model.points, cursor, Infinity);
    const shown = found && Math.abs(found.at - cursor) <= model.step ? found.at : cursor;
    told.cursor(cursor === null ? null : shown);
    fill(marks, cursor === null ? [] : cursorMarks(model, view, shown));
    flag.hidden = cursor === null;
    if (cursor === null) return;
    flag.textContent = view.isLong ? dayTime(shown).replace(/, \d\d:\d\d$/, "") : time(shown);
    flag.style.left = `${Math.min(view.width - 60, Math.max(40, view.x(shown)))}px`;
    element.setAttribute("aria-valuenow", String(Math.round(shown / 1000)));
    element.setAttribute("aria-valuetext", told.sentence(shown));
  }

  /** Show the range that is drawn to zoom to, also on the next picture; null: none. */
  function band(from, to) {
    dragged = [from, to];
    const box = root.querySelector(".zoom-box");
    if (!box) return;
    box.setAttribute("x", from === null ? 0 : Math.min(view.x(from), view.x(to)));
    box.setAttribute("width", from === null ? 0 : Math.abs(view.x(to) - view.x(from)));
  }

  const range = (start, end) => {
    const [first, last] = [model.first, model.last];
    const length = Math.min(Math.max(end - start, LEAST_SPAN), last - first);
    const begin = Math.min(Math.max(start, first), last - length);
    // The next key counts from here, though the picture may come later.
    [model.start, model.end] = [begin, begin + length];
    told.range(begin, begin + length);
  };
  const zoom = (factor, around) => range(around - (around - model.start) * factor, around + (model.end - around) * factor);
  const pan = (share) => range(model.start + (model.end - model.start) * share, model.end + (model.end - model.start) * share);

  element.addEventListener("keydown", (event) => {
    if (!model || event.altKey || event.metaKey) return;
    const at = cursor ?? Math.min(model.end, model.now);
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -12, PageUp: 12 }[event.key];
    if (steps !== undefined && event.shiftKey) pan(0.25 * Math.sign(steps));
    else if (steps !== undefined) point(at + steps * model.step);
    else if (event.key === "Home") point(model.start);
    else if (event.key === "End") point(model.end);
    else if (event.key === "+" || event.key === "=") zoom(0.5, at);
    else if (event.key === "-") zoom(2, at);
    else if (event.key === "Enter") told.pick(at);
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
  });
  element.addEventListener("focus", () => element.matches(":focus-visible") && cursor === null && model && point(Math.min(model.end, model.now)));
  element.addEventListener("blur", () => point(null));
  watchPointer(element, {
    instant: (pixel) => view && Math.min(model.end, Math.max(model.start, view.x.back(pixel))),
    hover: point,
    pick: told.pick,
    select: (from, to) => range(Math.min(from, to), Math.max(from, to)),
    band,
    zoom,
    pan,
  });
  new ResizeObserver(draw).observe(element);
  return {
    element,
    zoom: (factor) => model && zoom(factor, cursor ?? (model.start + model.end) / 2),
    pan: (share) => model && pan(share),
    show(next) {
      model = { ...next, points: merged(next) };
      element.setAttribute("aria-valuemin", String(Math.round(model.start / 1000)));
      element.setAttribute("aria-valuemax", String(Math.round(model.end / 1000)));
      if (cursor === null) {
        const at = Math.round(Math.min(model.end, Math.max(model.start, model.now)) / 1000);
        element.setAttribute("aria-valuenow", String(at));
        element.setAttribute("aria-valuetext", told.sentence(at * 1000));
      }
      draw();
    },
  };
}

/** What the cursor stops at: measured instants, and forecast ones beyond. */
function merged({ curve, forecast }) {
  const last = curve.at(-1)?.at ?? -Infinity;
  return [...curve, ...forecast.filter(({ at }) => at > last)];
}

function layout(model, width, height) {
  const inRange = ({ at }) => at >= model.start && at <= model.end;
  const values = [
    ...model.curve.filter(inRange).flatMap(({ low, high }) => [low, high]),
    ...model.expected.filter(inRange).flatMap(({ low, high }) => [low, high]),
    ...model.forecast.filter(inRange).flatMap(({ q100, q900 }) => [q100, q900]),
    ...model.known.filter(inRange).map(({ value }) => value),
  ];
  const [low, high] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const spare = (high - low || Math.abs(high) || 1) * 0.06;
  // Load is never negative, so an axis that nothing pulls below zero ends there.
  const bottom = low >= 0 ? Math.max(0, low - spare) : low - spare;
  return {
    width,
    height,
    isLong: model.step >= 24 * HOUR,
    isEmpty: values.length === 0,
    x: scale(model.start, model.end, EDGE.left, width - EDGE.right),
    y: scale(bottom, high + spare, height - EDGE.bottom, EDGE.top),
    low: bottom,
    high: high + spare,
  };
}

function drawing(model, view) {
  const { x, width, height } = view;
  const plot = { x: EDGE.left, y: EDGE.top, width: Math.max(0, width - EDGE.left - EDGE.right), height: height - EDGE.top - EDGE.bottom };
  const column = (from, to, name) => svg("rect", { class: name, x: x(from), y: plot.y, width: Math.max(1.5, x(to) - x(from)), height: plot.height });
  const days = (model.end - model.start) / (24 * HOUR);
  return [
    svg("clipPath", { id: "plot" }, svg("rect", plot)),
    svg("g", { "clip-path": "url(#plot)" }, days <= 62 && weekends(model.start, model.end).map(([from, to]) => column(from, to, "weekend"))),
    axes(model, view),
    svg(
      "g", { "clip-path": "url(#plot)" },
      model.episodes.map((episode) => [
        column(episode.start, episode.end, `episode ${episode.severity}`),
        svg("rect", { class: `rail ${episode.severity}`, x: x(episode.start), y: plot.y, width: Math.max(4, x(episode.end) - x(episode.start)), height: 4 }),
      ]),
      paths(model, view),
      model.now > model.start && model.now < model.end && svg("line", { class: "now", x1: x(model.now), x2: x(model.now), y1: plot.y, y2: plot.y + plot.height }),
      model.at !== null && svg("line", { class: "picked", x1: x(model.at), x2: x(model.at), y1: plot.y, y2: plot.y + plot.height }),
      svg("rect", { class: "zoom-box", x: 0, y: plot.y, width: 0, height: plot.height }),
      svg("g", { class: "cursor-marks" }),
    ),
    model.now > model.start && model.now < model.end && svg("text", { class: "now-name", ...(x(model.now) > width - 90 ? { x: x(model.now) - 5, "text-anchor": "end" } : { x: x(model.now) + 5 }), y: plot.y + 12 }, model.nowName),
    view.isEmpty && svg("text", { class: "nothing", x: (plot.x + width) / 2, y: plot.y + plot.height / 2, "text-anchor": "middle" }, model.emptyText),
  ];
}

function axes(model, { x, y, low, high, width, height }) {
  const marks = timeTicks(model.start, model.end, Math.max(2, (width - EDGE.left) / 92));
  return svg(
    "g", { class: "axes" },
    roundTicks(low, high, Math.max(2, height / 46)).map((value) => [
      svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
      svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)),
    ]),
    marks.map(({ at, label, isMajor }, index) => [
      svg("line", { class: isMajor ? "major" : "", x1: x(at), x2: x(at), y1: EDGE.top, y2: height - EDGE.bottom }),
      // A name at the right end is moved to the left, where there may be another.
      (x(at) < width - 40 || index === 0 || x(at) - x(marks[index - 1].at) > 120) && svg("text", { class: isMajor ? "major" : "", x: x(at), y: height - 9, "text-anchor": x(at) < EDGE.left + 24 ? "start" : x(at) > width - 40 ? "end" : "middle" }, label),
    ]),
    svg("text", { x: EDGE.left - 8, y: 9, "text-anchor": "end" }, "MW"),
  );
}

function paths(model, { x, y }) {
  const gap = Math.max(LEAST_GAP, model.step * 1.6);
  const rest = Math.max(LEAST_GAP, model.step * 1.6);
  const band = (points, low, high) => bandPath(points, x, (point) => y(low(point)), (point) => y(high(point)), rest);
  const line = (points, value, hole = gap) => linePath(points, x, (point) => y(value(point)), hole);
  const { curve, expected, forecast } = model;
  const drawn = {
    "expected-band": band(expected, ({ low }) => low, ({ high }) => high),
    "expected-line": line(expected, ({ value }) => value),
    "fan outer": band(forecast, ({ q025 }) => q025, ({ q975 }) => q975),
    "fan middle": band(forecast, ({ q100 }) => q100, ({ q900 }) => q900),
    "fan inner": band(forecast, ({ q250 }) => q250, ({ q750 }) => q750),
    "forecast-line": line(forecast, ({ value }) => value),
    envelope: model.isBucketed ? band(curve, ({ low }) => low, ({ high }) => high) : "",
    "load-line": line(curve, ({ value }) => value),
    "known-line": line(model.known, ({ value }) => value),
    "anomaly-dots": dotsPath(model.anomalies, x, ({ value }) => y(value)),
  };
  return LAYERS.map(([name, kind]) => drawn[kind] && svg(name, { class: kind, d: drawn[kind] }));
}

function cursorMarks(model, { x, y, height }, at) {
  const dot = (points, kind) => {
    const found = nearest(points, at, Math.max(model.step / 2, 1));
    return found && svg("circle", { class: kind, cx: x(found.at), cy: y(found.value), r: 4 });
  };
  return [
    svg("line", { class: "cursor", x1: x(at), x2: x(at), y1: EDGE.top, y2: height - EDGE.bottom }),
    dot(model.forecast, "forecast-dot"), dot(model.known, "known-dot"), dot(model.curve, "load-dot"),
  ];
}
