// The runs that brought load and weather.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { chips, narrowing } from "../../filters.js";
import { duration, instant, number } from "../../format.js";
import { badge, empty, longText, paged, runLink, table } from "../../parts.js";
import { t } from "../../texts.js";

const STATES = ["failed", "running", "success"];

export async function showRuns(page, content) {
  const wanted = { state: page.parameters.state ?? "" };
  const listing = table(t("qu runs"), [
    { name: t("started"), kind: "when", cell: (run) => instant(run.started_at) },
    { name: t("source"), kind: "wide", cell: (run) => [h("span", { class: "strong" }, run.source), h("span", { class: "sub wrap" }, `${run.dag_id} · `, runLink(run.dag_id, run.run_id)), longText(run.error)] },
    { name: t("status"), cell: (run) => badge(run.state) },
    { name: t("qu brought"), kind: "number", cell: brought },
    { name: t("qu newest"), kind: "when", cell: (run) => instant(run.newest_observed_at) },
    { name: t("took"), kind: "number", cell: (run) => duration(run.seconds) },
  ], (run) => run.batch_id);
  const pages = paged(
    listing, (after) => get(["runs"], { states: wanted.state, after, limit: 50 }, page.signal),
    () => (wanted.state ? empty(t("qu no runs fit"), t("qu no runs fit help")) : empty(t("qu no runs"), t("qu no runs help"))),
  );
  const refresh = async () => {
    await pages.refresh();
    return 15;
  };
  const change = narrowing(["quality", "runs"], wanted, refresh);
  const states = chips(t("state"), (state) => change({ state }));
  states.show([{ id: "", text: t("every") }, ...STATES.map((id) => ({ id, text: t(id) }))], wanted.state);
  fill(content, h("div", { class: "filters" }, states.element), pages.element);
  await page.keep(refresh);
}

/** What a run brought: new and revised values, and records that were set aside. */
function brought(run) {
  return [
    t("qu new", { n: run.rows_new }),
    h("span", { class: "sub" }, t("qu revised", { n: run.rows_revised }), run.rows_quarantined > 0 && `, ${t("aside", { n: run.rows_quarantined })}`),
  ];
}
