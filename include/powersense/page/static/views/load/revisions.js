// What we knew when: every version of one instant's value, and the curve as it was known at a chosen instant.

import { MINUTE, dayTime, instantOf, wall } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { instant, megawatts, signed, utc } from "../../format.js";
import { badge, button, explain, table } from "../../parts.js";
import { t } from "../../texts.js";

const QUARTER = 15 * MINUTE;

/**
 * @param {object} to `pick(at|null)`: another instant; `known(iso)`: the curve as known then
 */
export function revisions(to) {
  const body = h("div", { "aria-live": "polite" });
  const known = h("input", { id: "known-at", type: "datetime-local", step: "1", min: "1996-01-01T00:00", max: "2099-12-31T23:59" });
  const form = h(
    "form", {
      class: "known-form",
      onsubmit(event) {
        event.preventDefault();
        if (known.value) to.known(new Date(instantOf(Date.parse(`${known.value}Z`))).toISOString());
      },
    },
    h("label", { for: "known-at" }, t("ld known label", { paris: t("ld paris") })), h("span", {}, known, h("button", { type: "submit", class: "button" }, t("ld show"))),
  );
  const element = h("section", { class: "revisions", "aria-labelledby": "when-title" }, h("h2", { id: "when-title" }, t("ld when")), body, form);
  const listing = table(t("ld versions"), columns(to), (row) => `${row.vintage} ${row.publisher} ${row.version}`, { rowClass: (row) => (row.counts ? "counting" : "") });
  return {
    element,
    /** Show what is known of an instant, or how to choose one; `read(at)` returns its versions. */
    async show(state, read) {
      if (state.known) known.value = new Date(wall(Date.parse(state.known))).toISOString().slice(0, 19);
      if (state.at === null) return void fill(body, h("p", { class: "muted" }, t("ld when help")));
      const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
      const holder = h("div", {}, h("p", { class: "muted" }, t("loading")));
      fill(body, picked(state.at, to), holder);
      if (focused) body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
      try {
        const rows = await read(state.at);
        rows.forEach((row, index) => { row.before = rows.slice(0, index).findLast(({ value }) => value !== null)?.value ?? null; });
        listing.show(rows);
        fill(holder, rows.length > 0 ? listing.element : h("p", { class: "muted" }, t("ld no versions")));
      } catch (error) {
        if (error.name !== "AbortError") fill(holder, h("p", { class: "told bad" }, explain(error)));
      }
    },
  };
}

function picked(at, to) {
  const step = (sign, label, by) => button(sign, () => to.pick(at + by), { kind: "step", label, title: label });
  return h(
    "p", { class: "picked-at" },
    step("◀", t("ld before"), -QUARTER),
    h("span", { class: "picked-text" }, h("strong", {}, dayTime(at)), " ", h("span", { class: "muted" }, `${t("ld paris")} · ${utc(new Date(at)).slice(11)} UTC`)),
    step("▶", t("ld after"), QUARTER),
    button("×", () => to.pick(null), { kind: "quiet", label: t("ld unpick") }),
  );
}

function columns(to) {
  return [
    { name: t("ld value"), cell: (row) => [row.value === null ? h("span", { class: "muted" }, t("ld blank")) : h("span", { class: "strong" }, megawatts(row.value)), " ", row.counts && badge("counts", t("ld counts"), "good")] },
    { name: t("ld change"), kind: "number", cell: (row) => (row.value === null || row.before === null ? t("ld first") : signed(row.value - row.before, "MW")) },
    { name: t("ld vintage"), cell: (row) => [t(`ld ${row.vintage}`), h("span", { class: "sub mono", title: row.run_id }, `${row.publisher} · ${row.source}`)] },
    { name: t("ld came"), kind: "when", cell: (row) => [instant(row.inserted_at), button(t("ld as then"), () => to.known(row.inserted_at), { kind: "link" })] },
  ];
}
