// All that is stored in one strip, with the shown range as a window that is moved and stretched.

import { fill, h, svg } from "../dom.js";
import { DAY, HOUR, span, timeTicks } from "./paris.js";
import { bandPath, linePath, scale } from "./paths.js";

const LEAST_SPAN = 3 * HOUR;
const LEAST_PIXELS = 6;
// Room for the handles of a window that reaches an end.
const EDGE = 12;

/**
 * @param {object} names `start`, `window`, `end`: what the parts of the window are called
 * @param {function} choose `(start, end, isFinal)`: another range is wanted, while it is dragged and when it is let go
 * @returns {{element, show(model)}} model: `{first, last, start, end, points}`, each point with `low`, `value`, `high`
 */
export function rangeBrush(names, choose) {
  const root = svg("svg", { "aria-hidden": "true" });
  const part = (kind) => h("div", { class: `brush-${kind}`, role: "slider", tabindex: "0", "aria-label": names[kind], "data-part": kind });
  const parts = { window: part("window"), start: part("start"), end: part("end") };
  const element = h("div", { class: "range-brush" }, root, parts.window, parts.start, parts.end);
  let model = null;
  let x = null;
  let drag = null;

  function draw() {
    const width = element.clientWidth;
    if (!model || width === 0) return;
    x = scale(model.first, model.last, EDGE, width - EDGE);
    root.setAttribute("viewBox", `0 0 ${width} ${element.clientHeight}`);
    fill(root, drawing(model, x, width, element.clientHeight));
    place();
  }

  function place() {
    const left = Math.min(x(model.start), x(model.last) - LEAST_PIXELS);
    const right = Math.max(x(model.end), left + LEAST_PIXELS);
    parts.window.style.left = `${left}px`;
    parts.window.style.width = `${right - left}px`;
    parts.start.style.left = `${left}px`;
    parts.end.style.left = `${right}px`;
    for (const [kind, value] of [["start", model.start], ["window", (model.start + model.end) / 2], ["end", model.end]]) {
      parts[kind].setAttribute("aria-valuemin", String(Math.round(model.first / 1000)));
      parts[kind].setAttribute("aria-valuemax", String(Math.round(model.last / 1000)));
      parts[kind].setAttribute("aria-valuenow", String(Math.round(value / 1000)));
      parts[kind].setAttribute("aria-valuetext", span(model.start, model.end));
    }
  }

  /** Want another range, kept within what is stored. */
  function want(kind, start, end, isFinal) {
    const { first, last } = model;
    let [from, to] = [start, end];
    if (kind === "start") from = Math.max(first, Math.min(start, end - LEAST_SPAN));
    else if (kind === "end") to = Math.min(last, Math.max(end, start + LEAST_SPAN));
    else {
      const length = Math.min(end - start, last - first);
      from = Math.min(Math.max(start, first), last - length);
      to = from + length;
    }
    [model.start, model.end] = [from, to];
    place();
    choose(from, to, isFinal);
  }

  const moved = (kind, by) => [kind === "end" ? model.start : model.start + by, kind === "start" ? model.end : model.end + by];

  element.addEventListener("keydown", (event) => {
    const kind = event.target.dataset.part;
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -1, PageUp: 1 }[event.key];
    if (!model || !kind || (direction === undefined && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const length = model.end - model.start;
    const step = event.key.startsWith("Page") ? length / (kind === "window" ? 1 : 2) : Math.max(HOUR, length / 10);
    const by = event.key === "Home" ? model.first - model.start : event.key === "End" ? model.last - model.end : direction * step;
    want(kind, ...moved(kind, by), true);
  });
  element.addEventListener("pointerdown", (event) => {
    if (!model || event.button !== 0) return;
    let kind = event.target.dataset?.part;
    if (!kind) {
      // Beside the window: it comes there.
      kind = "window";
      const at = x.back(event.clientX - element.getBoundingClientRect().left);
      const half = (model.end - model.start) / 2;
      want(kind, at - half, at + half, false);
    }
    drag = { kind, from: event.clientX, start: model.start, end: model.end };
    element.setPointerCapture(event.pointerId);
    event.preventDefault();
    parts[kind].focus({ focusVisible: false });
  });
  element.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const by = x.back(event.clientX - drag.from) - x.back(0);
    const { kind } = drag;
    want(kind, kind === "end" ? drag.start : drag.start + by, kind === "start" ? drag.end : drag.end + by, false);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, () => {
      if (!drag) return;
      drag = null;
      choose(model.start, model.end, true);
    });
  }
  new ResizeObserver(draw).observe(element);
  return {
    element,
    show(next) {
      // What the person drags stays under the pointer.
      if (!drag) model = { ...next };
      draw();
    },
  };
}

function drawing({ points, first, last }, x, width, height) {
  const values = points.flatMap(({ low, high }) => [low, high]);
  const y = scale(Math.min(...values), Math.max(...values), height - 18, 4);
  const gap = Math.max(2 * DAY, ((last - first) / Math.max(1, points.length)) * 3);
  return [
    svg("path", { class: "envelope", d: bandPath(points, x, ({ low }) => y(low), ({ high }) => y(high), gap) }),
    svg("path", { class: "load-line", d: linePath(points, x, ({ value }) => y(value), gap) }),
    timeTicks(first, last, Math.max(2, width / 90)).map(({ at, label }) => x(at) < width - 30 && svg("text", { x: x(at) + 3, y: height - 4 }, label)),
  ];
}
