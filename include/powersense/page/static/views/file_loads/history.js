// Every attempt at one file, in a dialog.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { duration, instant, number, size } from "../../format.js";
import { badge, button, explain, facts, longText, showDialog } from "../../parts.js";
import { t } from "../../texts.js";

/** Show what was tried with a file, the newest first. */
export async function showHistory(page, name, path) {
  const list = h("div", { class: "attempts" }, h("p", { class: "muted" }, t("loading")));
  showDialog(t("history"), [h("p", { class: "subject mono" }, path), list], { wide: true });
  const shown = [];
  async function read(after) {
    try {
      const { items, next } = await get(["file-ingestions", name, "loads"], { path, after, limit: 20 }, page.signal);
      shown.push(...items.map(attempt));
      const more = next && button(t("more"), () => read(next));
      fill(list, shown.length > 0 ? [shown, more] : h("p", { class: "muted" }, t("no history")));
    } catch (error) {
      if (error.name !== "AbortError") fill(list, h("p", { class: "told bad" }, explain(error)));
    }
  }
  await read("");
}

/** What one attempt found beside rows: its error, its first bad record, what it did to columns. */
export function findings(load) {
  return [
    longText(load.error),
    load.first_bad_line && h("details", { class: "told warn" }, h("summary", {}, t("bad line")), h("pre", {}, load.first_bad_line)),
    load.schema_changes.length > 0 && h("details", { class: "told plain" }, h("summary", {}, `${t("schema changes")} (${number(load.schema_changes.length)})`), h("ul", {}, load.schema_changes.map((change) => h("li", {}, change)))),
  ];
}

export function rowsOf(load) {
  const aside = load.rows_quarantined > 0 && h("span", { class: "sub" }, t("aside", { n: load.rows_quarantined }));
  return [number(load.rows), aside];
}

function attempt(load) {
  return h(
    "section", { class: "card" },
    h("div", { class: "attempt-head" }, badge(load.outcome), instant(load.finished_at)),
    facts([
      [t("rows"), rowsOf(load)],
      [t("bytes read"), size(load.bytes)],
      [t("took"), duration(load.seconds)],
      [t("attempt"), number(load.attempt)],
      [t("reader"), load.reader === "engine" || load.reader === "worker" ? t(`reader ${load.reader}`) : load.reader],
      [t("run"), h("span", { class: "mono" }, load.run_id)],
    ]),
    findings(load),
  );
}
