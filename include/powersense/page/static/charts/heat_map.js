// How complete each area's days are: a grid of areas and days that arrow keys walk through.

import { fill, h } from "../dom.js";
import { t } from "../texts.js";

/** The class of a share of values that came; the limits are those of the legend. */
function level(share) {
  if (share === null) return "unknown";
  if (share >= 0.999) return "full";
  if (share >= 0.9) return "most";
  if (share >= 0.5) return "some";
  return share > 0 ? "few" : "none";
}

const LEVELS = ["full", "most", "some", "few", "none", "unknown"];
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [0, -7], PageDown: [0, 7], Home: [0, -Infinity], End: [0, Infinity] };

/**
 * @param {string[]} areas rows
 * @param {string[]} days columns, `2026-11-20`
 * @param {function} shareOf share of an area's day, null where none is expected
 * @param {function} tell what a cell says
 * @param {function} open is called with area and day
 */
export function heatMap({ areas, days, shareOf, tell, open }) {
  const readout = h("p", { class: "readout" }, t("qu heat hint"));
  const cells = areas.map((area, row) => days.map((day, column) => h("div", {
    role: "gridcell", class: `cell ${level(shareOf(area, day))}`, tabindex: row === 0 && column === days.length - 1 ? "0" : "-1", "aria-label": tell(area, day),
  })));
  let [atRow, atColumn] = [0, days.length - 1];
  const choose = (row, column, { focus = false } = {}) => {
    cells[atRow][atColumn].setAttribute("tabindex", "-1");
    atRow = Math.min(areas.length - 1, Math.max(0, row));
    atColumn = Math.min(days.length - 1, Math.max(0, column));
    const cell = cells[atRow][atColumn];
    cell.setAttribute("tabindex", "0");
    if (focus) cell.focus();
    fill(readout, tell(areas[atRow], days[atColumn]));
  };
  const grid = h(
    "div", { class: "heat", role: "grid", "aria-label": t("qu coverage") },
    h("div", { class: "heat-row", "aria-hidden": "true" }, h("div", { class: "heat-corner" }), months(days)),
    areas.map((area, row) => h("div", { class: "heat-row", role: "row" }, h("div", { role: "rowheader", class: "heat-area" }, area), cells[row])),
  );
  // The policy lets no style attribute in; a property that a script sets is none.
  grid.style.setProperty("--days", String(days.length));
  const place = (element) => {
    const cell = element.closest?.(".cell");
    const row = cells.findIndex((line) => line.includes(cell));
    return row < 0 ? null : [row, cells[row].indexOf(cell)];
  };
  grid.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") open(areas[atRow], days[atColumn]);
    else if (STEPS[event.key]) choose(atRow + STEPS[event.key][0], atColumn + STEPS[event.key][1], { focus: true });
    else return;
    event.preventDefault();
  });
  grid.addEventListener("pointerover", ({ target }) => {
    const found = place(target);
    if (found && !grid.contains(document.activeElement)) choose(...found);
    else if (found) fill(readout, tell(areas[found[0]], days[found[1]]));
  });
  grid.addEventListener("focusin", ({ target }) => place(target) && choose(...place(target)));
  grid.addEventListener("click", ({ target }) => {
    const found = place(target);
    if (found) open(areas[found[0]], days[found[1]]);
  });
  const scroller = h("div", { class: "heat-scroll" }, grid);
  // The newest days stand at the right end, out of sight on a narrow screen.
  new ResizeObserver(() => { scroller.scrollLeft = scroller.scrollWidth; }).observe(scroller);
  return h("div", { class: "chart" }, legend(), scroller, readout);
}

function months(days) {
  const named = new Intl.DateTimeFormat(document.documentElement.lang, { month: "short", year: "2-digit", timeZone: "UTC" });
  const found = [];
  for (const day of days) {
    const month = day.slice(0, 7);
    if (found.at(-1)?.month === month) found.at(-1).count += 1;
    else found.push({ month, count: 1 });
  }
  return found.map(({ month, count }) => {
    const element = h("div", { class: "heat-month" }, count >= 5 ? named.format(new Date(`${month}-01T00:00:00Z`)) : "");
    element.style.gridColumn = `span ${count}`;
    return element;
  });
}

function legend() {
  return h("ul", { class: "legend" }, LEVELS.map((one) => h("li", {}, h("span", { class: `cell ${one}`, "aria-hidden": "true" }), t(`qu level ${one}`))));
}
