// Records that were set aside in the last month: how many of each kind, and each with its reason.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { narrowing } from "../../filters.js";
import { instant, json, number } from "../../format.js";
import { button, empty, paged, runLink, table } from "../../parts.js";
import { t } from "../../texts.js";

export async function showQuarantine(page, content) {
  const wanted = { source: page.parameters.source ?? "", reason: page.parameters.reason ?? "" };
  const counts = table(t("qu set aside"), [
    { name: t("source"), kind: "wide", cell: (row) => h("span", { class: "path strong" }, row.source) },
    { name: t("reason"), cell: (row) => h("span", { class: "mono" }, row.reason) },
    { name: t("qu records"), kind: "number", cell: (row) => number(row.records) },
    { name: t("qu last came"), kind: "when", cell: (row) => instant(row.last_seen_at) },
    { name: t("actions"), kind: "buttons", cell: (row) => button(t("qu see"), () => choose(row), { label: t("qu see one", { source: row.source, reason: row.reason }), "data-focus": `see ${row.source} ${row.reason}` }) },
  ], (row) => `${row.source} ${row.reason}`);
  const summary = paged(counts, (after) => get(["quarantine", "counts"], { after, limit: 100 }, page.signal), () => empty(t("qu nothing aside"), t("qu nothing aside help")));
  const records = recordsTable();
  const listed = paged(records, (after) => get(["quarantine"], { sources: wanted.source, reasons: wanted.reason, after, limit: 20 }, page.signal), () => null);
  const title = h("div", { class: "section-head" });
  const refresh = async () => {
    const [found] = await Promise.all([summary.refresh(), listed.refresh()]);
    title.hidden = listed.element.hidden = found.length === 0;
    return 60;
  };
  const change = narrowing(["quality", "quarantine"], wanted, refresh);
  async function choose({ source = "", reason = "" }) {
    const read = change({ source, reason });
    showTitle();
    await read;
    title.scrollIntoView({ block: "nearest" });
  }
  function showTitle() {
    const filter = [wanted.source, wanted.reason].filter(Boolean).join(" · ");
    fill(title, h("h2", {}, t("qu newest records"), filter && h("span", { class: "sub" }, filter)), filter && button(t("qu show all"), () => choose({}), { "data-focus": "all" }));
  }
  showTitle();
  fill(content, summary.element, title, listed.element);
  await page.keep(refresh);
}

function recordsTable() {
  return table(t("qu newest records"), [
    { name: t("qu last came"), kind: "when", cell: (row) => instant(row.last_seen_at) },
    { name: t("reason"), cell: (row) => [h("span", { class: "mono" }, row.reason), h("span", { class: "sub" }, row.area)] },
    { name: t("qu record"), kind: "wide", cell: (row) => [row.detail && h("span", {}, row.detail), h("details", { class: "told plain as-it-came" }, h("summary", {}, h("span", { class: "cut mono" }, row.record), h("span", { class: "as-open" }, t("qu as it came"))), h("pre", {}, pretty(row.record)))] },
    { name: t("source"), cell: (row) => [h("span", { class: "path" }, row.source), h("span", { class: "sub" }, runLink("ingest_load", row.run_id))] },
  ], (row) => `${row.source} ${row.reason} ${row.record_hash}`);
}

function pretty(record) {
  try {
    return json(JSON.parse(record));
  } catch {
    return record; // what is no JSON is shown as it came
  }
}
