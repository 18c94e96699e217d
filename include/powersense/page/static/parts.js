// The parts that views are made of: badges, tables, tabs, notices, dialogs.

import { Problem, needsKey } from "./api.js";
import { fill, h, reconcile } from "./dom.js";
import { number, utcClock } from "./format.js";
import { airflowAddress, openInAirflow } from "./router.js";
import { t } from "./texts.js";

const TONES = {
  success: "good", loaded: "good",
  partial: "warn", overdue: "warn", skipped: "warn", lapsed: "warn", changed: "run",
  failed: "bad", quarantined: "bad",
  critical: "bad", warning: "warn",
  running: "run", loading: "run", requested: "run", new: "run",
};

/** A state as a word in its colour. `text` replaces the state's own word, `tone` its colour. */
export function badge(state, text = null, tone = TONES[state] ?? "plain") {
  const words = text ?? t(state === "loading" ? "loading state" : state);
  return h("span", { class: `badge ${tone}`, "data-state": state }, words);
}

/** How grave something is. */
export function severity(level) {
  return badge(level, t(`severity ${level}`));
}

/** A run: its id, and the way to it where the page stands in Airflow. */
export function runLink(dag, run) {
  if (!run) return h("span", { class: "muted" }, "–");
  const inAirflow = airflowAddress(`dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`);
  const id = h("span", { class: "mono path" }, run);
  return inAirflow ? h("span", { class: "run-link" }, id, " ", button(t("open in airflow"), () => openInAirflow(inAirflow), { kind: "link" })) : id;
}

/** Text in which `…` marks code, as elements. */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

export function button(text, onclick, { kind = "plain", label = null, ...attributes } = {}) {
  return h("button", { type: "button", class: `button ${kind}`, "aria-label": label, onclick, ...attributes }, text);
}

/** The page's heading: where it stands, its name, its badges and its buttons. */
export function heading({ trail = [], title, badges = [], actions = [], lead = null }) {
  return h(
    "div", { class: "heading" },
    trail.length > 0 && h(
      "nav", { class: "trail", "aria-label": "breadcrumb" },
      h("ol", {}, trail.map(([text, href]) => h("li", {}, h("a", { href }, text)))),
    ),
    h(
      "div", { class: "heading-row" },
      h(
        "div", { class: "heading-text" },
        h("div", { class: "heading-title" }, h("h1", {}, title), h("span", { class: "badges" }, badges)),
        lead && h("p", { class: "lead" }, lead),
      ),
      h("div", { class: "actions" }, actions),
    ),
  );
}

/** Names and values. */
export function facts(entries) {
  return h("dl", { class: "facts" }, entries.filter(Boolean).map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Numbers that stand out, each `[name, value, tone]`; the tone may stay away. */
export function figures(entries) {
  const shown = (value) => (typeof value === "number" ? number(value) : value);
  return entries.map(([name, value, tone = ""]) => h("div", { class: `figure ${tone}` }, h("span", { class: "label" }, name), h("span", { class: "value" }, shown(value))));
}

export function empty(title, help, ...actions) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, prose(help)), actions);
}

/**
 * A table whose rows follow their data without losing focus; on a narrow screen each row is a card.
 * @param {Array} columns of `{name, cell(item), kind}`; kind `number` aligns right
 * @param {object} options `rowClass(item)`; `isCompact`: figures, which stay a table on a narrow screen
 * @returns {{element, show(items)}}
 */
export function table(caption, columns, keyOf, { rowClass = () => "", isCompact = false } = {}) {
  const body = h("tbody", { role: "rowgroup" });
  // On narrow screens rows are cards: roles keep the table what it is for those who listen.
  const element = h(
    "table", { role: "table", "aria-label": caption },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map(({ name, kind = "" }) => h("th", { scope: "col", role: "columnheader", class: kind }, name)))),
    body,
  );
  const row = (item) => h(
    "tr", { role: "row", class: rowClass(item) },
    columns.map(({ name, cell, kind = "" }) => h("td", { role: "cell", class: kind, "data-name": name }, cell(item))),
  );
  return { element: h("div", { class: isCompact ? "table compact" : "table" }, element), show: (items) => reconcile(body, items, keyOf, row) };
}

/** Move a row of links that is wider than the screen so that the present one shows. */
export function keepInSight(row) {
  const present = row.querySelector("[aria-current]");
  if (present) row.scrollLeft = present.offsetLeft - row.offsetLeft - (row.clientWidth - present.offsetWidth) / 2;
}

/** Links of which one is the present one. */
export function tabs(label, entries) {
  const row = h(
    "nav", { class: "tabs", "aria-label": label },
    entries.map(({ text, href, isCurrent, onclick }) => h("a", { href, "aria-current": isCurrent ? "page" : null, onclick, "data-focus": text }, text)),
  );
  new ResizeObserver(() => keepInSight(row)).observe(row);
  return row;
}

/** A long text, cut to its first line until it is opened. */
export function longText(text, { tone = "bad" } = {}) {
  if (!text) return null;
  if (text.length <= 180 && !text.includes("\n")) return h("p", { class: `told ${tone}` }, text);
  return h(
    "details", { class: `told ${tone}` },
    h("summary", {}, h("span", { class: "cut" }, text.split("\n", 1)[0].slice(0, 400))),
    h("pre", {}, text),
  );
}

/** Tell something in passing; a failure stays until it is closed. */
export function notice(text, { tone = "good" } = {}) {
  const box = document.getElementById("notices");
  const element = h("div", { class: `notice ${tone}` }, h("p", {}, text), button("×", () => element.remove(), { kind: "quiet", label: t("close") }));
  fill(box, element);
  if (tone === "good") setTimeout(() => element.remove(), 8000);
}

let upcoming = null;

/** Tell something with the next view. */
export function noticeNext(text) {
  upcoming = text;
}

/** Forget the notices of the view before, and tell what was kept for this one. */
export function turnNotices() {
  fill(document.getElementById("notices"));
  if (upcoming !== null) notice(upcoming);
  upcoming = null;
}

/** Say what a failed call means for the person. */
export function explain(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.status === 0) return t("no answer");
  if (error.status === 401 && !needsKey) return t("no session");
  if (error.status === 403) return t("forbidden", { detail: error.message });
  return error.message;
}

/** Do something that a button asks for, once at a time; a failure is told. */
export async function act(pressed, work) {
  pressed.disabled = true;
  try {
    return await work();
  } catch (error) {
    notice(explain(error), { tone: "bad" });
    return undefined;
  } finally {
    pressed.disabled = false;
  }
}

/** Ask before something is done; `work` runs while the dialog is open and closes it. */
export function confirm({ title, help, subject = null, text, kind = "primary", work }) {
  const yes = button(text, async () => {
    await act(yes, work);
    dialog.close();
  }, { kind });
  const dialog = showDialog(title, [
    subject && h("p", { class: "subject mono" }, subject),
    h("p", {}, help),
    h("div", { class: "actions" }, button(t("cancel"), () => dialog.close()), yes),
  ]);
  yes.focus();
}

/** Show a dialog and return it; it leaves the page when it closes. */
export function showDialog(title, content, { wide = false } = {}) {
  const dialog = h(
    "dialog", { class: wide ? "wide" : "", "aria-labelledby": "dialog-title" },
    h("div", { class: "dialog-head" }, h("h2", { id: "dialog-title" }, title), button("×", () => dialog.close(), { kind: "quiet", label: t("close") })),
    h("div", { class: "dialog-body" }, content),
  );
  const opener = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener?.isConnected) opener.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** When what is shown was read; says so where it is no longer true. */
export function freshness() {
  const element = h("p", { class: "fresh muted" }, "\u00a0");
  let last = new Date();
  return {
    element,
    good() {
      last = new Date();
      element.classList.remove("stale");
      fill(element, t("updated", { at: utcClock(last) }));
    },
    stale() {
      element.classList.add("stale");
      fill(element, t("stale", { at: utcClock(last) }));
    },
  };
}

/**
 * A table, or what stands in its place where it has no rows.
 * @param {function} whenEmpty returns what stands there, or null
 * @param {...Element} below follow the table
 * @returns {{element, show(items)}}
 */
export function shownOr(listing, whenEmpty, ...below) {
  const element = placeholder();
  return {
    element,
    show(items) {
      if (items.length === 0) return void fill(element, whenEmpty());
      listing.show(items);
      if (listing.element.parentElement !== element) fill(element, listing.element, below);
    },
  };
}

/** A box that is still to be filled. */
export function placeholder() {
  return h("div", {}, h("p", { class: "placeholder muted" }, t("loading")));
}

/**
 * A listing in pages: what is read again replaces the pages that are shown, "Show more" adds one.
 * @param {function} read given a cursor returns `{items, next}`
 */
export function paged(listing, read, whenEmpty) {
  let pages = 1;
  const more = button(t("more"), () => act(more, async () => {
    pages += 1;
    await refresh();
  }), { "data-focus": "more" });
  const { element, show } = shownOr(listing, whenEmpty, h("div", { class: "more" }, more));
  let newest = 0;
  async function refresh() {
    newest += 1;
    const turn = newest;
    const items = [];
    let next = "";
    for (let page = 0; page < pages && next !== null; page += 1) {
      const told = await read(next);
      items.push(...told.items);
      next = told.next;
    }
    // An answer to an earlier question came late.
    if (turn !== newest) return items;
    show(items);
    more.hidden = next === null;
    return items;
  }
  return { element, refresh };
}
