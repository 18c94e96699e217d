// Alerts: groups of what is wrong, who has taken them on, and silences.

import { get, send } from "../api.js";
import { fill, h } from "../dom.js";
import { instant, number } from "../format.js";
import { act, badge, button, empty, heading, notice, paged, showDialog, table, tabs } from "../parts.js";
import { goInstead, link } from "../router.js";
import { t, told } from "../texts.js";
import { showGroup } from "./alert_group.js";
import { areaEntries, areas, chips, choice, chosen, readAgain, severity } from "./controls.js";
import { showSilences } from "./silences.js";

const VIEW = "alerts";
const STATES = ["open", "acknowledged", "closed"];
const TONES = { open: "run", acknowledged: "plain", closed: "good" };
const MANY = 2;

export const alerts = {
  find(parts) {
    const [id, rest] = parts;
    if (rest !== undefined) return null;
    if (id === undefined) return showAlerts;
    if (id === "silences") return showSilences;
    return (page) => showGroup(page, id);
  },
};

export function alertTabs(current) {
  return tabs(t("alerts"), [
    { text: t("alerts"), href: link([VIEW]), isCurrent: current === "alerts" },
    { text: t("silences"), href: link([VIEW, "silences"]), isCurrent: current === "silences" },
  ]);
}

let known = null;

/** The rules that raise alerts, each with its title in the page's language; asked once. */
export async function rules(signal) {
  known ??= await get(["rules"], {}, signal);
  return known.map((rule) => ({ ...rule, title: told(`rule ${rule.rule}`) ?? rule.title }));
}

/** Where a group stands: its severity, its state, and whether people are told of it. */
export function standing(group) {
  return [
    severity(group.severity),
    badge(group.state, t(`al state ${group.state}`), TONES[group.state]),
    group.silenced_until && badge("silenced", t("al silenced"), "plain"),
  ].filter(Boolean);
}

/** What is wrong: an alert's own subject, or the rule's title where there are several alerts. */
export function problemOf(group, all) {
  const names = group.areas.filter(Boolean);
  if (names.length <= 1 && document.documentElement.lang === "en") return group.subject;
  const title = all.find(({ rule }) => rule === group.rule)?.title ?? group.subject;
  if (names.length > 1) return `${title} · ${t("al n areas", { n: number(names.length) })}`;
  return names.length === 1 ? `${title} · ${names[0]}` : title;
}

/** The areas of a group: all where they are few. */
export function areasOf(group) {
  const names = group.areas.filter(Boolean);
  if (names.length === 0) return h("span", { class: "muted" }, "–");
  if (names.length <= MANY) return names.join(", ");
  return h("span", { title: names.join(", ") }, t("al n areas", { n: number(names.length) }));
}

/** Take a group on, with a comment if there is something to say. */
export function acknowledge(group, all, done) {
  const comment = h("textarea", { id: "ack-comment", rows: 3, maxlength: 2000 });
  const save = h("button", { type: "submit", class: "button primary" }, t("al acknowledge"));
  const form = h("form", {
    class: "label-form",
    onsubmit: async (event) => {
      event.preventDefault();
      await act(save, async () => {
        await send("POST", ["alert-groups", group.group_id, "acknowledgement"], { comment: comment.value.trim() });
        notice(t("al acknowledged told"));
        dialog.close();
        await done();
      });
      if (dialog.isConnected) dialog.close();
    },
  }, h("p", {}, t("al acknowledge help")), h("label", { for: "ack-comment", class: "field" }, t("comment optional")), comment, h("div", { class: "actions start" }, save));
  const dialog = showDialog(t("al acknowledge title"), [h("p", { class: "subject" }, problemOf(group, all)), form]);
}

async function showAlerts(page) {
  page.setTitle(t("alerts"));
  const { state = "", severity: level = "", rule = "", area = "" } = page.parameters;
  const wanted = { state, severity: level, rule, area };
  const all = await rules(page.signal);
  const listing = table(t("alerts"), columns(all, () => refresh()), ({ group_id: id }) => id, { rowClass: (group) => (group.state === "open" ? `severity-${group.severity}` : "") });
  const pages = paged(
    listing, (after) => get(["alert-groups"], question(wanted, after), page.signal),
    () => empty(t(Object.keys(chosen(wanted)).length > 0 ? "al none fit" : "al none"), t(Object.keys(chosen(wanted)).length > 0 ? "al none fit help" : "al none help")),
  );
  const figures = h("div", { class: "figures" });
  const refresh = async () => {
    await Promise.all([pages.refresh(), showFigures(figures, page.signal)]);
    return 10;
  };
  const filters = filtersOf(wanted, all, await areas(page.signal), refresh);
  fill(page.main, heading({ title: t("alerts"), lead: t("al lead") }), alertTabs("alerts"), figures, filters, pages.element, page.fresh);
  await page.keep(refresh);
}

function question({ state, severity: level, rule, area }, after) {
  return { states: state, severities: level, rules: rule, areas: area, after, limit: 50 };
}

async function showFigures(box, signal) {
  const { items } = await get(["alert-groups"], { states: ["open", "acknowledged"], limit: 1000 }, signal);
  const count = (fits) => items.filter(fits).length;
  const isTold = (group) => group.state === "open" && !group.silenced_until;
  fill(box, [
    [t("al waiting critical"), count((group) => isTold(group) && group.severity === "critical"), "bad"],
    [t("al waiting others"), count((group) => isTold(group) && group.severity !== "critical"), ""],
    [t("al taken"), count((group) => group.state === "acknowledged"), ""],
    [t("al silenced"), count((group) => group.silenced_until), ""],
  ].map(([label, value, tone]) => h("div", { class: `figure ${value > 0 ? tone : ""}` }, h("span", { class: "label" }, label), h("span", { class: "value" }, number(value)))));
}

function filtersOf(wanted, allRules, known, refresh) {
  const change = async (changes) => {
    Object.assign(wanted, changes);
    goInstead([VIEW], chosen(wanted));
    show();
    await readAgain(refresh);
  };
  const states = chips(t("state"), (state) => change({ state }));
  const show = () => states.show([{ id: "", text: t("all") }, ...STATES.map((id) => ({ id, text: t(`al state ${id}`) }))], wanted.state);
  show();
  return h("div", { class: "filters" }, states.element, h("span", { class: "choices" },
    choice("severity", t("severity"), [["", t("all")], ...["critical", "warning", "info"].map((id) => [id, t(`severity ${id}`)])], wanted.severity, (level) => change({ severity: level })),
    choice("rule", t("al rule"), [["", t("all")], ...allRules.map(({ rule, title }) => [rule, title])], wanted.rule, (rule) => change({ rule })),
    choice("area", t("area"), areaEntries(known), wanted.area, (area) => change({ area })),
  ));
}

function columns(all, done) {
  return [
    { name: t("status"), cell: (group) => [h("span", { class: "badges" }, standing(group)), group.acknowledged_by && h("span", { class: "sub" }, t("by", { who: group.acknowledged_by }))] },
    { name: t("al problem"), kind: "wide", cell: (group) => [
      h("a", { class: "strong", href: link([VIEW, group.group_id]), "data-focus": group.group_id }, problemOf(group, all)),
      h("span", { class: "sub cut-line" }, group.message),
    ] },
    { name: t("al areas"), kind: "areas", cell: (group) => [areasOf(group), group.alerts > Math.max(1, group.areas.length) && h("span", { class: "sub" }, t("al n alerts", { n: number(group.alerts) }))] },
    { name: t("al opened"), kind: "when", cell: (group) => instant(group.opened_at) },
    { name: t("al last seen"), kind: "when", cell: (group) => instant(group.closed_at ?? group.last_seen_at) },
    { name: t("actions"), kind: "buttons", cell: (group) => (group.state === "open" ? button(t("al acknowledge"), () => acknowledge(group, all, done), { label: t("al acknowledge one", { subject: problemOf(group, all) }), "data-focus": `ack ${group.group_id}` }) : null) },
  ];
}
