// One group of alerts: where it stands, its alerts, what happened to it, and what to do.

import { get, send } from "../../api.js";
import { fill, h } from "../../dom.js";
import { instant, number } from "../../format.js";
import { act, badge, button, facts, heading, notice, runLink, severity, table } from "../../parts.js";
import { airflowAddress, link, openInAirflow } from "../../router.js";
import { t } from "../../texts.js";
import { VIEW, acknowledge, areasOf, isEnglish, meaningOf, messageOf, problemOf, rules, standing } from "./parts.js";
import { silenceDialog } from "./silences.js";

const CHECKS = "check_data_quality";
// The rule whose alerts are about episodes.
const ANOMALY = "load_anomaly";

export async function showGroup(page, id) {
  page.setTitle(t("alert"));
  const all = await rules(page.signal);
  const head = h("div", { class: "head" });
  const members = membersTable();
  const history = h("section", { class: "card" });
  let told = "";
  async function refresh({ isForced = false } = {}) {
    const group = await get(["alert-groups", id], {}, page.signal);
    const now = JSON.stringify(group);
    // Whoever stands on a button keeps it, unless they have just pressed it.
    if (now !== told && (isForced || !head.contains(document.activeElement))) {
      told = now;
      page.setTitle(problemOf(group, all));
      showHead(head, group, all, reload);
    }
    members.show(group.members);
    showHistory(history, group.history);
    if (!head.isConnected) {
      fill(page.main, head, h("div", { class: "two" }, history, commentCard(id, reload)), h("section", {}, h("h2", {}, t("al members")), members.element), page.fresh);
    }
    return 10;
  }
  async function reload() {
    await refresh({ isForced: true });
    if (document.activeElement === document.body) page.main.focus({ preventScroll: true });
  }
  await page.keep(() => refresh());
}

function showHead(head, group, all, reload) {
  const rule = all.find(({ rule: id }) => id === group.rule);
  const giveBack = button(t("al unacknowledge"), () => act(giveBack, async () => {
    await send("DELETE", ["alert-groups", group.group_id, "acknowledgement"]);
    notice(t("al unacknowledged told"));
    await reload();
  }));
  fill(
    head,
    heading({
      trail: [[t("alerts"), link([VIEW])]],
      title: problemOf(group, all),
      badges: standing(group),
      lead: isEnglish() ? messageOf(group) : [meaningOf(group, all), h("span", { class: "sub" }, messageOf(group))],
      actions: [
        group.state === "open" && button(t("al acknowledge"), () => acknowledge(group, all, reload), { kind: "primary" }),
        group.state === "acknowledged" && giveBack,
        group.state !== "closed" && button(t("si silence"), () => silenceDialog(reload, { rules: [group.rule], areas: group.areas.filter(Boolean) })),
        group.rule === ANOMALY && h("a", { class: "button plain", href: link(["episodes"], { area: group.areas.length === 1 ? group.areas[0] : "" }) }, t("episodes")),
        rule && isAddress(rule.runbook) && runbook(rule),
      ],
    }),
    facts([
      [t("al rule"), rule?.title ?? group.rule, h("span", { class: "sub mono" }, group.rule), isEnglish() && h("span", { class: "sub" }, meaningOf(group, all))],
      [t("al areas"), areasOf(group)],
      [t("al opened"), instant(group.opened_at)],
      group.closed_at ? [t("al closed"), instant(group.closed_at)] : [t("al last seen"), instant(group.last_seen_at)],
      [t("al who"), group.acknowledged_by ?? "–", group.acknowledged_at && h("span", { class: "sub" }, instant(group.acknowledged_at))],
      [t("al told"), instant(group.notified_at)],
      group.silenced_until && [t("al silenced until"), instant(group.silenced_until)],
      [t("ep written by"), runLink(CHECKS, group.run_id)],
      rule && !isAddress(rule.runbook) && [t("al runbook"), h("span", { class: "mono" }, rule.runbook)],
    ]),
  );
}

/** Whether the runbook can be opened: without a setting it is a path of the repository. */
function isAddress(text) {
  return /^https?:/.test(text);
}

/** What to do about it; inside Airflow's sandbox only Airflow's document may open it. */
function runbook(rule) {
  if (airflowAddress("")) return button(t("al runbook"), () => openInAirflow(rule.runbook));
  return h("a", { class: "button plain", href: rule.runbook, target: "_blank", rel: "noreferrer" }, t("al runbook"));
}

function membersTable() {
  return table(t("al members"), [
    { name: t("area"), cell: (alert) => h("span", { class: "strong" }, alert.area || "–") },
    { name: t("status"), cell: (alert) => h("span", { class: "badges" }, severity(alert.severity), badge(alert.state, t(`al state ${alert.state}`), alert.state === "open" ? "run" : "good")) },
    { name: t("al problem"), kind: "wide", cell: (alert) => [!alert.area && h("span", { class: "strong", lang: "en" }, alert.subject), h("span", { class: "clamp", title: alert.message, lang: "en" }, alert.message)] },
    { name: t("al opened"), kind: "when", cell: (alert) => instant(alert.opened_at) },
    { name: t("al times seen"), kind: "number", cell: (alert) => number(alert.occurrences) },
  ], ({ alert_id: id }) => id);
}

function showHistory(box, entries) {
  const now = JSON.stringify(entries) + document.documentElement.lang;
  if (box.shownContent === now) return;
  box.shownContent = now;
  fill(box, h("h2", {}, t("history")), h("ol", { class: "timeline" }, gathered(entries).map((entry) => h(
    "li", {},
    h("div", {}, h("span", { class: "strong" }, t(`al did ${entry.kind}`)), entry.count > 1 && ` × ${number(entry.count)}`, h("span", { class: "sub" }, entry.who && `${entry.who} · `, instant(entry.at))),
    entry.text && h("p", entry.kind === "comment" || entry.who ? { class: "comment" } : { class: "sub", lang: "en" }, entry.text),
  ))));
}

/** Ten regions that joined at one check are one line. */
function gathered(entries) {
  const lines = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    if (last && !entry.who && last.kind === entry.kind && last.at === entry.at) last.count += 1;
    else lines.push({ ...entry, count: 1 });
  }
  return lines;
}

function commentCard(id, reload) {
  const comment = h("textarea", { id: "group-comment", rows: 2, maxlength: 2000, required: true });
  const save = h("button", { type: "submit", class: "button plain" }, t("al add comment"));
  const submit = async (event) => {
    event.preventDefault();
    await act(save, async () => {
      await send("POST", ["alert-groups", id, "comments"], { comment: comment.value.trim() });
      comment.value = "";
      await reload();
    });
  };
  return h("form", { class: "card label-form", onsubmit: submit }, h("label", { for: "group-comment", class: "field" }, t("comment")), comment, h("div", { class: "actions start" }, save));
}
