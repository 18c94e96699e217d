// What a listing is narrowed to: choices, kept in the address.

import { fill, h } from "./dom.js";
import { number } from "./format.js";
import { explain, notice } from "./parts.js";
import { goInstead } from "./router.js";

/**
 * Choices of which one counts, as pressed buttons.
 * @param {function} choose is called with the id of the one that is pressed
 * @returns {{element, show(entries, chosen)}} entries of `{id, text, count}`, the count may stay away
 */
export function chips(label, choose) {
  const element = h("div", { class: "chips", role: "group", "aria-label": label });
  function show(entries, chosen) {
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.choice : null;
    const press = (id) => {
      show(entries, id);
      choose(id);
    };
    fill(element, entries.map(({ id, text, count }) => h("button", {
      type: "button", class: "chip", "data-choice": id, "aria-pressed": String(id === chosen), onclick: () => press(id),
    }, text, count !== undefined && [" ", h("span", { class: "count" }, number(count))])));
    if (focused !== null) element.querySelector(`[data-choice="${CSS.escape(focused)}"]`)?.focus();
  }
  return { element, show };
}

/** A labelled list to choose one of; entries of `[value, text]`. */
export function choice(id, label, entries, chosen, choose) {
  const select = h("select", { id, onchange: () => choose(select.value) }, entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  select.value = chosen;
  return h("span", { class: "choice" }, h("label", { for: id }, label), select);
}

/** Whether any filter is set. */
export function isNarrowed(wanted) {
  return Object.values(wanted).some(Boolean);
}

/**
 * Return the function that narrows a listing: it changes what is wanted, shows that in the address without a step in the
 * history, and reads again.
 */
export function narrowing(path, wanted, refresh) {
  return async (changes) => {
    Object.assign(wanted, changes);
    goInstead(path, wanted);
    await readAgain(refresh);
  };
}

/** Read again because of a choice: a failure is told, and leaving the view is none. */
export async function readAgain(refresh) {
  try {
    await refresh();
  } catch (error) {
    if (error.name !== "AbortError") notice(explain(error), { tone: "bad" });
  }
}
