// What the views of operations share: choices, severities, the run that wrote a row.

import { get } from "../api.js";
import { span as parisSpan } from "../charts/paris.js";
import { fill, h } from "../dom.js";
import { number } from "../format.js";
import { badge, button, explain, notice } from "../parts.js";
import { airflowAddress, openInAirflow } from "../router.js";
import { t } from "../texts.js";

const SEVERITIES = { critical: "bad", warning: "warn", info: "plain" };

export function severity(level) {
  return badge(level, t(`severity ${level}`), SEVERITIES[level] ?? "plain");
}

/**
 * Choices of which one counts, as pressed buttons.
 * @param {Array} entries of `{id, text, count}`
 * @returns {{element, show(entries, chosen)}}
 */
export function chips(label, choose) {
  const element = h("div", { class: "chips", role: "group", "aria-label": label });
  return {
    element,
    show(entries, chosen) {
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.choice : null;
      fill(element, entries.map(({ id, text, count }) => h("button", {
        type: "button", class: "chip", "data-choice": id, "aria-pressed": String(id === chosen), onclick: () => choose(id),
      }, text, count !== undefined && [" ", h("span", { class: "count" }, number(count))])));
      if (focused !== null) element.querySelector(`[data-choice="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}

/** A labelled list to choose one of. */
export function choice(id, label, entries, chosen, choose) {
  const select = h("select", { id, onchange: () => choose(select.value) }, entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  select.value = chosen;
  return h("span", { class: "choice" }, h("label", { for: id }, label), select);
}

/** The entries of a choice among areas. */
export function areaEntries(areas) {
  return [["", t("all areas")], ...areas.map((area) => [area, area])];
}

/** A run: opened in Airflow where the page stands in it, else its id. */
export function runLink(dag, run) {
  if (!run) return h("span", { class: "muted" }, "–");
  const inAirflow = airflowAddress(`dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`);
  const id = h("span", { class: "mono path" }, run);
  return inAirflow ? h("span", { class: "run-link" }, id, " ", button(t("open in airflow"), () => openInAirflow(inAirflow), { kind: "link" })) : id;
}

/** Two instants on the clocks of Paris: `21 Nov 2026, 14:00 – 18:00`; in UTC on hover. */
export function span(start, end) {
  const utc = [start, end].map((at) => at.slice(0, 16).replace("T", " ")).join(" – ");
  return h("span", { class: "span", title: `${utc} UTC` }, parisSpan(Date.parse(start), Date.parse(end)));
}

/** A table of figures, which stays one on a narrow screen. */
export function compact(listing) {
  listing.element.classList.add("compact");
  return listing;
}

/** A number with its sign: `−2,580 MW`. */
export function signed(value, unit, digits = 0) {
  const shown = new Intl.NumberFormat(document.documentElement.lang, { signDisplay: "exceptZero", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  return `${shown.replace("-", "\u2212")}${unit ? `\u00a0${unit}` : ""}`;
}

export function decimal(value, digits) {
  return new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** A share as a percentage; a dash without one. */
export function percent(share, digits = 0) {
  if (share === null || share === undefined) return "–";
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

/** Show an address in the bar without a step in the history: filters that are set, and no others. */
export function chosen(wanted) {
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
}

/** Read again because of a choice: a failure is told, and leaving the view is none. */
export async function readAgain(refresh) {
  try {
    await refresh();
  } catch (error) {
    if (error.name !== "AbortError") notice(explain(error), { tone: "bad" });
  }
}

/** Whether an answer says that dbt has yet to build what is asked for; a warehouse that is away is something else. */
export function isNotBuilt(error) {
  return error.status === 503 && error.message.includes("transform_warehouse");
}

let known = null;

/** The names of the areas, France first; asked once. */
export async function areas(signal) {
  known ??= (await get(["areas"], {}, signal)).map(({ name }) => name).sort((a, b) => (b === "France") - (a === "France") || a.localeCompare(b, "fr"));
  return known;
}
