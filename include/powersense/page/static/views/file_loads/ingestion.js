// One ingestion: what it is, its runs, its files, its declaration.

import { get, send } from "../../api.js";
import { fill, h } from "../../dom.js";
import { chips, narrowing } from "../../filters.js";
import { duration, instant, json, number, size } from "../../format.js";
import { act, badge, button, confirm, empty, facts, heading, longText, notice, noticeNext, paged, table, tabs } from "../../parts.js";
import { go, link } from "../../router.js";
import { t } from "../../texts.js";
import { VIEW } from "./address.js";
import { showHistory } from "./history.js";
import { fileCount, standing } from "./ingestions.js";

const STATES = ["new", "loading", "loaded", "failed", "quarantined", "skipped"];

export async function showIngestion(page, name, section) {
  page.setTitle(name);
  const head = h("div", { class: "head" });
  const choices = h("div");
  const show = { runs: runsSection, files: filesSection, declaration: declarationSection }[section];
  let shown = null;
  let told = "";
  await page.keep(async () => {
    const ingestion = await get(["file-ingestions", name], {}, page.signal);
    const now = JSON.stringify(ingestion);
    if (now !== told && !head.contains(document.activeElement)) {
      told = now;
      showHead(head, ingestion, page);
      fill(choices, sections(ingestion, section));
    }
    if (shown === null) {
      shown = show(page, ingestion);
      fill(page.main, head, choices, shown.element, page.fresh);
    }
    return shown.refresh(ingestion);
  });
}

function showHead(head, ingestion, page) {
  const { name, origin, changed_by: who } = ingestion;
  const isOurs = origin === "api";
  const run = button(t("run now"), () => request(run, page, name, false), { kind: "primary", disabled: !ingestion.is_enabled });
  const dry = button(t("try dry"), () => request(dry, page, name, true), { disabled: !ingestion.is_enabled });
  const remove = () => confirm({
    title: t("delete title", { name }), help: t("delete help"), text: t("delete"), kind: "danger",
    work: async () => {
      await send("DELETE", ["file-ingestions", name]);
      noticeNext(t("deleted", { name }));
      go([VIEW]);
    },
  });
  fill(
    head,
    heading({
      trail: [[t("file loads"), link([VIEW])]],
      title: name,
      badges: standing(ingestion),
      lead: ingestion.description || null,
      actions: [
        dry, run,
        isOurs && h("a", { class: "button plain", href: link([VIEW, name, "edit"]) }, t("edit")),
        isOurs && button(t("delete"), remove, { kind: "danger-quiet" }),
      ],
    }),
    facts([
      [t("source"), h("span", { class: "mono long" }, ingestion.uri)],
      [t("format"), ingestion.format],
      [t("target"), h("span", { class: "mono" }, ingestion.target)],
      [t("schedule"), ingestion.schedule ? h("span", { class: "mono" }, ingestion.schedule) : t("only when asked")],
      ingestion.next_due_at && [t("next due"), instant(ingestion.next_due_at)],
      ingestion.deadline_hours && [t("deadline"), t("deadline hours", { hours: ingestion.deadline_hours })],
      ingestion.declaration.connection && [t("connection"), h("span", { class: "mono" }, ingestion.declaration.connection)],
      [t("files loaded"), `${number(ingestion.files.loaded)} (${size(ingestion.bytes)})`],
      [t("rows"), number(ingestion.rows)],
      [t("declared by"), instant(ingestion.changed_at), h("span", { class: "sub" }, t(isOurs ? "by" : "from yaml", { who }))],
    ]),
  );
}

async function request(pressed, page, name, isDry) {
  const wanted = await act(pressed, () => send("POST", ["file-ingestions", name, "runs"], { dry_run: isDry }));
  if (wanted === undefined) return;
  noticeNext(t(isDry ? "dry run requested" : "run requested"));
  go([VIEW, name, "runs", wanted.run_id]);
}

function sections(ingestion, section) {
  const entry = (id, text) => ({ text, href: link([VIEW, ingestion.name, id]), isCurrent: id === section });
  return tabs(ingestion.name, [
    entry("runs", t("runs")),
    entry("files", `${t("files")} (${number(fileCount(ingestion.files))})`),
    entry("declaration", t("declaration")),
  ]);
}

function runsSection(page, ingestion) {
  const { name } = ingestion;
  const listing = table(t("runs"), [
    { name: t("started"), kind: "when", cell: (run) => h("a", { href: link([VIEW, name, "runs", run.run_id]), "data-focus": run.run_id }, instant(run.started_at)) },
    { name: t("status"), cell: (run) => h("span", { class: "badges" }, badge(run.state), run.is_dry_run && badge("dry", t("dry run"))) },
    { name: t("result"), kind: "wide", cell: (run) => [h("span", {}, result(run)), longText(run.error)] },
    { name: t("rows"), kind: "number", cell: (run) => (run.is_dry_run ? "–" : number(run.rows_loaded)) },
    { name: t("bytes read"), kind: "number", cell: (run) => (run.is_dry_run ? "–" : size(run.bytes_read)) },
    { name: t("took"), kind: "number", cell: (run) => duration(run.seconds) },
    { name: t("begun by"), cell: by },
  ], (run) => run.run_id);
  const pages = paged(
    listing,
    (after) => get(["file-ingestions", name, "runs"], { after, limit: 25 }, page.signal),
    () => empty(t("no runs"), t(ingestion.is_enabled ? "no runs help" : "no runs disabled")),
  );
  return {
    element: pages.element,
    async refresh() {
      const items = await pages.refresh();
      return items.some(({ state }) => ["running", "requested"].includes(state)) ? 4 : 15;
    },
  };
}

/** What became of a run's files, in words. */
export function result(run) {
  if (run.is_dry_run) {
    const found = run.files_new + run.files_changed + run.files_retried + run.files_waiting;
    if (run.state !== "success") return "";
    return found > 0 ? t("n to load", { n: found }) : t("nothing new");
  }
  const told = ["loaded", "failed", "quarantined", "skipped", "waiting"]
    .filter((kind) => run[`files_${kind}`] > 0)
    .map((kind) => t(`n ${kind}`, { n: run[`files_${kind}`] }));
  if (told.length > 0) return told.join(", ");
  return run.state === "success" ? t("nothing new") : "";
}

/** Who or what had a run begin. */
export function by(run) {
  if (run.requested_by) return t("by person", { who: run.requested_by });
  return run.scheduled_for ? t("by schedule") : t("by hand");
}

function filesSection(page, ingestion) {
  const { name } = ingestion;
  const wanted = { state: page.parameters.state ?? "", containing: page.parameters.containing ?? "" };
  const listing = table(t("files"), [
    { name: t("path"), kind: "wide", cell: path },
    { name: t("state"), cell: (file) => badge(file.state) },
    { name: t("size"), kind: "number", cell: (file) => size(file.size) },
    { name: t("modified"), kind: "when", cell: (file) => instant(file.modified_at) },
    { name: t("loaded at"), kind: "when", cell: (file) => instant(file.loaded_at) },
    { name: t("rows"), kind: "number", cell: (file) => number(file.rows) },
    { name: t("attempts"), kind: "number", cell: (file) => number(file.attempts) },
    { name: t("actions"), kind: "buttons", cell: (file) => [
      button(t("history"), () => showHistory(page, name, file.path), { label: t("history of", { path: file.path }), "data-focus": `history ${file.path}` }),
      ["quarantined", "failed"].includes(file.state) && button(t("release"), () => release(pages, name, file.path), { label: t("release of", { path: file.path }) }),
    ] },
  ], (file) => file.path);
  const pages = paged(
    listing,
    (after) => get(["file-ingestions", name, "files"], { ...wanted, after, limit: 50 }, page.signal),
    () => (wanted.state || wanted.containing ? empty(t("no such files"), t("no such files help")) : empty(t("no files"), t("no files help"))),
  );
  const change = narrowing([VIEW, name, "files"], wanted, pages.refresh);
  const states = chips(t("state"), (state) => change({ state }));
  return {
    element: h("div", {}, h("div", { class: "filters" }, states.element, search(wanted.containing, (containing) => change({ containing }))), pages.element),
    async refresh({ files }) {
      const known = STATES.map((id) => ({ id, text: t(id === "loading" ? "loading state" : id), count: files[id] }));
      states.show([{ id: "", text: t("all"), count: fileCount(files) }, ...known], wanted.state);
      await pages.refresh();
      return files.loading > 0 ? 5 : 15;
    },
  };
}

function path(file) {
  return [
    h("span", { class: "path mono" }, file.path),
    file.is_replaced && h("span", { class: "sub" }, t("older content")),
    longText(file.error),
  ];
}

/** The field that finds in paths, once nobody types any more. */
function search(given, find) {
  const field = h("input", { type: "search", id: "containing", value: given, autocomplete: "off", spellcheck: "false" });
  let timer = null;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => find(field.value.trim()), 250);
  });
  return [h("label", { for: "containing" }, t("find path")), field];
}

function release(pages, name, filePath) {
  confirm({
    title: t("release title"), help: t("release help"), subject: filePath, text: t("release"),
    work: async () => {
      await send("POST", ["file-ingestions", name, "files", "release"], { path: filePath });
      notice(t("released"));
      await pages.refresh();
    },
  });
}

function declarationSection(page, ingestion) {
  const text = h("pre", { class: "code", tabindex: "0", "aria-label": t("declaration json") });
  const note = ingestion.origin === "yaml" && h("p", { class: "muted" }, t("yaml read only", { who: ingestion.changed_by }));
  return {
    element: h("div", {}, note, text),
    refresh(newest) {
      const shown = json(newest.declaration);
      if (text.textContent !== shown) text.textContent = shown;
      return 30;
    },
  };
}
