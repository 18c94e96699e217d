// What is looked at: the range by a few words, by steps or by dates, and whose expectation is drawn.

import { DAY, instantOf, span, wall } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { button, showDialog } from "../../parts.js";
import { t } from "../../texts.js";
import { DETECTORS, SPANS } from "./state.js";

/**
 * @param {object} to `span(name)`, `zoom(factor)`, `pan(share)`, `dates(start, end)`, `detector(name)`
 */
export function loadToolbar(to) {
  const spans = h("div", { class: "chips", role: "group", "aria-label": t("ld range") });
  const told = h("span", { class: "shown-range" });
  const judge = h("select", { id: "judge", onchange: () => to.detector(judge.value) }, DETECTORS.map((name) => h("option", { value: name }, t(`ld judge ${name}`))));
  const chips = new Map(SPANS.map((name) => [name, h("button", { type: "button", class: "chip", onclick: () => to.span(name) }, t(`ld ${name}`))]));
  fill(spans, ...chips.values());
  const step = (sign, label, does) => button(sign, does, { kind: "step", label, title: label });
  let shown = null;
  const element = h(
    "div", { class: "load-toolbar" },
    spans,
    h(
      "div", { class: "steps", role: "group", "aria-label": t("ld range") },
      step("◀", t("ld earlier"), () => to.pan(-0.5)), step("▶", t("ld later"), () => to.pan(0.5)),
      step("+", t("ld zoom in"), () => to.zoom(0.5)), step("−", t("ld zoom out"), () => to.zoom(2)),
    ),
    button(told, () => askDates(shown, to.dates), { kind: "quiet dates", title: t("ld dates") }),
    h("span", { class: "choice" }, h("label", { for: "judge" }, t("ld judge")), judge),
  );
  return {
    element,
    show(state, { start, end }) {
      shown = { start, end };
      judge.value = state.detector;
      for (const [name, chip] of chips) chip.setAttribute("aria-pressed", String(name === state.span));
      fill(told, span(start, end), " ", h("span", { class: "muted" }, t("ld paris")));
    },
  };
}

/** Ask for two days of Paris. */
function askDates({ start, end }, choose) {
  const dayOf = (at) => new Date(wall(at)).toISOString().slice(0, 10);
  const input = (id, at) => h("input", { id, type: "date", value: dayOf(at), required: true, min: "1996-01-01", max: "2099-12-31" });
  const [first, last] = [input("first-day", start), input("last-day", end - 1)];
  const problem = h("p", { class: "told bad", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    const [from, to] = [Date.parse(first.value), Date.parse(last.value)];
    if (!(from <= to)) return void fill(problem, t("ld dates wrong"));
    dialog.close();
    choose(instantOf(from), instantOf(to + DAY));
  };
  const dialog = showDialog(t("ld dates"), h(
    "form", { class: "dates-form", onsubmit: submit },
    h("p", {}, h("label", { for: "first-day" }, t("ld from")), first), h("p", {}, h("label", { for: "last-day" }, t("ld to")), last), problem,
    h("div", { class: "actions" }, button(t("cancel"), () => dialog.close()), h("button", { type: "submit", class: "button primary" }, t("ld show"))),
  ));
  first.focus();
}
