// Alerts: groups of what is wrong, and who has taken them on.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { chips, choice, isNarrowed, narrowing } from "../../filters.js";
import { instant } from "../../format.js";
import { button, empty, figures, heading, paged, table } from "../../parts.js";
import { finder, link } from "../../router.js";
import { t } from "../../texts.js";
import { areaEntries, areas } from "../areas.js";
import { showGroup } from "./group.js";
import { VIEW, acknowledge, alertTabs, areasOf, lineOf, problemOf, rules, standing } from "./parts.js";
import { showSilences } from "./silences.js";

const STATES = ["open", "acknowledged", "closed"];
const SEVERITIES = ["critical", "warning", "info"];

export const alerts = { find: finder(showAlerts, { silences: showSilences }, showGroup) };

async function showAlerts(page) {
  page.setTitle(t("alerts"));
  const { state = "", severity = "", rule = "", area = "" } = page.parameters;
  const wanted = { state, severity, rule, area };
  const all = await rules(page.signal);
  const listing = table(t("alerts"), columns(all, () => refresh()), ({ group_id: id }) => id, { rowClass: (group) => (group.state === "open" ? `severity-${group.severity}` : "") });
  const pages = paged(
    listing, (after) => get(["alert-groups"], question(wanted, after), page.signal),
    () => (isNarrowed(wanted) ? empty(t("al none fit"), t("al none fit help")) : empty(t("al none"), t("al none help"))),
  );
  const sums = h("div", { class: "figures" });
  const refresh = async () => {
    await Promise.all([pages.refresh(), showFigures(sums, page.signal)]);
    return 10;
  };
  const filters = filtersOf(wanted, all, await areas(page.signal), narrowing([VIEW], wanted, refresh));
  fill(page.main, heading({ title: t("alerts"), lead: t("al lead") }), alertTabs("alerts"), sums, filters, pages.element, page.fresh);
  await page.keep(refresh);
}

function question({ state, severity, rule, area }, after) {
  return { states: state, severities: severity, rules: rule, areas: area, after, limit: 50 };
}

async function showFigures(box, signal) {
  const { items } = await get(["alert-groups"], { states: ["open", "acknowledged"], limit: 1000 }, signal);
  const count = (fits) => items.filter(fits).length;
  const isTold = (group) => group.state === "open" && !group.silenced_until;
  const critical = count((group) => isTold(group) && group.severity === "critical");
  fill(box, figures([
    [t("al waiting critical"), critical, critical > 0 ? "bad" : ""],
    [t("al waiting others"), count((group) => isTold(group) && group.severity !== "critical")],
    [t("al taken"), count((group) => group.state === "acknowledged")],
    [t("al silenced"), count((group) => group.silenced_until)],
  ]));
}

function filtersOf(wanted, allRules, known, change) {
  const states = chips(t("state"), (state) => change({ state }));
  states.show([{ id: "", text: t("every") }, ...STATES.map((id) => ({ id, text: t(`al state ${id}`) }))], wanted.state);
  return h("div", { class: "filters" }, states.element, h("span", { class: "choices" },
    choice("severity", t("severity"), [["", t("every")], ...SEVERITIES.map((id) => [id, t(`severity ${id}`)])], wanted.severity, (severity) => change({ severity })),
    choice("rule", t("al rule"), [["", t("every")], ...allRules.map(({ rule, title }) => [rule, title])], wanted.rule, (rule) => change({ rule })),
    choice("area", t("area"), areaEntries(known), wanted.area, (area) => change({ area })),
  ));
}

function columns(all, done) {
  return [
    { name: t("status"), cell: (group) => [h("span", { class: "badges" }, standing(group)), group.acknowledged_by && h("span", { class: "sub" }, t("by", { who: group.acknowledged_by }))] },
    { name: t("al problem"), kind: "wide", cell: (group) => [
      h("a", { class: "strong", href: link([VIEW, group.group_id]), "data-focus": group.group_id }, problemOf(group, all)),
      h("span", { class: "sub cut-line", title: group.message }, lineOf(group, all)),
    ] },
    { name: t("al areas"), kind: "areas", cell: (group) => [areasOf(group), group.alerts > Math.max(1, group.areas.length) && h("span", { class: "sub" }, t("al n alerts", { n: group.alerts }))] },
    { name: t("al opened"), kind: "when", cell: (group) => instant(group.opened_at) },
    { name: t("al last seen"), kind: "when", cell: (group) => instant(group.closed_at ?? group.last_seen_at) },
    { name: t("actions"), kind: "buttons", cell: (group) => (group.state === "open" ? button(t("al acknowledge"), () => acknowledge(group, all, done), { label: t("al acknowledge one", { subject: problemOf(group, all) }), "data-focus": `ack ${group.group_id}` }) : null) },
  ];
}
