// All declared ingestions: where each stands.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { instant, number } from "../../format.js";
import { badge, empty, figures, heading, paged, table } from "../../parts.js";
import { link } from "../../router.js";
import { t } from "../../texts.js";
import { VIEW } from "./address.js";

const PROBLEMS = ["failed", "partial", "lapsed"];

export async function showIngestions(page) {
  page.setTitle(t("file loads"));
  const sums = h("div", { class: "figures" });
  const declare = () => h("a", { class: "button primary", href: link([VIEW, "+"]) }, t("declare"));
  const listing = table(t("ingestions"), columns(), ({ name }) => name);
  const pages = paged(
    listing,
    (after) => get(["file-ingestions"], { after }, page.signal),
    () => empty(t("no ingestions"), t("no ingestions help"), declare()),
  );
  fill(page.main, heading({ title: t("file loads"), lead: t("file loads lead"), actions: [declare()] }), sums, pages.element, page.fresh);
  showFigures(sums, null);
  await page.keep(async () => {
    const items = await pages.refresh();
    showFigures(sums, items);
    return items.some(({ last_run: run }) => run?.state === "running") ? 5 : 15;
  });
}

/** The badges that say where an ingestion stands, the worst last run first. */
export function standing(ingestion) {
  const { is_enabled: isEnabled, last_run: run, files } = ingestion;
  return [
    !isEnabled ? badge("disabled", t("not enabled")) : run ? badge(run.state) : badge("never", t("never run")),
    ingestion.is_overdue && badge("overdue"),
    files.quarantined > 0 && badge("quarantined", t("n quarantined", { n: files.quarantined })),
    files.failed > 0 && badge("failed", t("n failed", { n: files.failed })),
  ].filter(Boolean);
}

export function fileCount(files) {
  return Object.values(files).reduce((sum, count) => sum + count, 0);
}

function columns() {
  return [
    { name: t("ingestion"), kind: "wide", cell: name },
    { name: t("status"), cell: (item) => h("span", { class: "badges" }, standing(item)) },
    { name: t("last run"), kind: "when", cell: lastRun },
    { name: t("next due"), kind: "when", cell: (item) => (item.next_due_at ? instant(item.next_due_at) : h("span", { class: "muted" }, item.is_enabled ? t("only when asked") : "–")) },
    { name: t("files loaded"), kind: "number", cell: loadedOf },
    { name: t("rows"), kind: "number", cell: (item) => number(item.rows) },
  ];
}

function name(item) {
  return [
    h("a", { class: "strong", href: link([VIEW, item.name]), "data-focus": item.name }, item.name),
    h("span", { class: "sub mono", title: item.uri }, item.uri),
  ];
}

function lastRun(item) {
  const run = item.last_run;
  return run ? h("a", { class: "quiet-link", href: link([VIEW, item.name, "runs", run.run_id]) }, instant(run.started_at)) : instant(null);
}

function loadedOf(item) {
  const all = fileCount(item.files);
  if (all === item.files.loaded) return number(all);
  return t("of n", { some: item.files.loaded, all });
}

/** Show the sums over what is listed; null: not read yet. */
function showFigures(box, items) {
  const sum = (pick) => items?.reduce((total, item) => total + pick(item), 0) ?? "–";
  const attention = sum((item) => Number(item.is_enabled && (
    item.is_overdue || item.files.quarantined + item.files.failed > 0 || PROBLEMS.includes(item.last_run?.state)
  )));
  fill(box, figures([
    [t("ingestions"), sum(() => 1)],
    [t("need attention"), attention, attention > 0 ? "bad" : ""],
    [t("files loaded"), sum(({ files }) => files.loaded)],
    [t("rows"), sum(({ rows }) => rows)],
  ]));
}
