// One run: what it found, and what became of each file.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { chips, narrowing } from "../../filters.js";
import { duration, instant, number, size } from "../../format.js";
import { badge, button, empty, facts, heading, paged, table } from "../../parts.js";
import { airflowAddress, link, openInAirflow } from "../../router.js";
import { t } from "../../texts.js";
import { VIEW } from "./address.js";
import { findings, rowsOf, showHistory } from "./history.js";
import { by, result } from "./ingestion.js";

const OUTCOMES = ["failed", "quarantined", "skipped", "loaded"];
const WAITS = ["requested", "lapsed"];

export async function showRun(page, name, id) {
  page.setTitle(`${name} · ${t("run")}`);
  const head = h("div", { class: "head" });
  let files = null;
  await page.keep(async () => {
    const run = await get(["file-ingestions", name, "runs", id], {}, page.signal);
    showHead(head, name, run);
    if (files === null || files.isFor !== (run.is_dry_run && !WAITS.includes(run.state))) {
      files = run.is_dry_run ? planned(page, name, run) : attempts(page, name, run);
      files.isFor = run.is_dry_run && !WAITS.includes(run.state);
      fill(page.main, head, files.element, page.fresh);
    }
    await files.refresh(run);
    return ["running", "requested"].includes(run.state) ? 3 : 30;
  });
}

function showHead(head, name, run) {
  const content = JSON.stringify(run);
  if (head.shownContent === content) return;
  head.shownContent = content;
  const inAirflow = airflowAddress(`dags/load_files/runs/${encodeURIComponent(run.run_id)}`);
  const isWaiting = WAITS.includes(run.state);
  fill(
    head,
    heading({
      trail: [[t("file loads"), link([VIEW])], [name, link([VIEW, name])]],
      title: t("run"),
      badges: [badge(run.state), run.is_dry_run && badge("dry", t("dry run"))].filter(Boolean),
      lead: h("span", { class: "mono" }, run.run_id),
      actions: inAirflow && !isWaiting ? [button(t("open in airflow"), () => openInAirflow(inAirflow))] : [],
    }),
    isWaiting ? h("p", { class: "told plain" }, t(run.state === "requested" ? "run waits" : "run lapsed")) : null,
    facts([
      [t(isWaiting ? "asked" : "started"), instant(run.started_at), h("span", { class: "sub" }, by(run))],
      !isWaiting && [t("took"), duration(run.seconds)],
      !isWaiting && [t("found"), number(run.files_listed), h("span", { class: "sub" }, t(run.is_full_listing ? "full listing" : "recent listing"))],
      !isWaiting && [t("result"), result(run) || "–"],
      !isWaiting && !run.is_dry_run && [t("rows loaded"), number(run.rows_loaded)],
      !isWaiting && !run.is_dry_run && [t("rows aside"), number(run.rows_quarantined)],
      !isWaiting && !run.is_dry_run && [t("bytes read"), size(run.bytes_read)],
    ]),
    run.error && h("section", { class: "card error" }, h("h2", {}, t(run.state === "failed" ? "run error" : "first error")), h("pre", {}, run.error)),
  );
}

function attempts(page, name, run) {
  const wanted = { outcome: page.parameters.outcome ?? "" };
  let newest = run;
  const listing = table(t("attempts of run"), [
    { name: t("path"), kind: "wide", cell: (load) => [h("span", { class: "path mono" }, load.path), findings(load)] },
    { name: t("outcome"), cell: (load) => badge(load.outcome) },
    { name: t("rows"), kind: "number", cell: rowsOf },
    { name: t("bytes read"), kind: "number", cell: (load) => size(load.bytes) },
    { name: t("took"), kind: "number", cell: (load) => duration(load.seconds) },
    { name: t("attempt"), kind: "number", cell: (load) => number(load.attempt) },
    { name: t("finished"), kind: "when", cell: (load) => instant(load.finished_at) },
    { name: t("actions"), kind: "buttons", cell: (load) => button(t("history"), () => showHistory(page, name, load.path), { label: t("history of", { path: load.path }), "data-focus": `history ${load.path}` }) },
  ], (load) => `${load.path} ${load.attempt} ${load.finished_at}`);
  const whenEmpty = () => {
    if (WAITS.includes(newest.state)) return null;
    if (wanted.outcome) return empty(t("no attempts"), t("no attempts outcome"));
    return empty(t("no attempts"), t(newest.state === "running" ? "no attempts running" : "no attempts help"));
  };
  const pages = paged(listing, (after) => get(["file-ingestions", name, "loads"], { ...wanted, run_id: run.run_id, after, limit: 50 }, page.signal), whenEmpty);
  const change = narrowing([VIEW, name, "runs", run.run_id], wanted, pages.refresh);
  const outcomes = chips(t("outcome"), (outcome) => change({ outcome }));
  const title = h("h2", {}, t("attempts of run"));
  const filters = h("div", { class: "filters" }, outcomes.element);
  return {
    element: h("section", {}, title, filters, pages.element),
    async refresh(now) {
      newest = now;
      title.hidden = filters.hidden = WAITS.includes(now.state);
      const known = OUTCOMES.map((id) => ({ id, text: t(id), count: now[`files_${id}`] }));
      outcomes.show([{ id: "", text: t("all"), count: known.reduce((sum, { count }) => sum + count, 0) }, ...known], wanted.outcome);
      await pages.refresh();
    },
  };
}

function planned(page, name, run) {
  const listing = table(t("planned of run"), [
    { name: t("path"), kind: "wide", cell: (file) => h("span", { class: "path mono" }, file.path) },
    { name: t("reason"), cell: (file) => badge(file.reason) },
    { name: t("size"), kind: "number", cell: (file) => size(file.size) },
    { name: t("modified"), kind: "when", cell: (file) => instant(file.modified_at) },
  ], (file) => file.path);
  let newest = run;
  const pages = paged(
    listing,
    (after) => get(["file-ingestions", name, "runs", run.run_id, "planned"], { after, limit: 100 }, page.signal),
    () => (newest.state === "success" ? empty(t("nothing planned"), t("nothing planned help")) : null),
  );
  const title = h("h2", {}, t("planned of run"));
  return {
    element: h("section", {}, title, pages.element),
    async refresh(now) {
      newest = now;
      title.hidden = now.state !== "success";
      await pages.refresh();
    },
  };
}
