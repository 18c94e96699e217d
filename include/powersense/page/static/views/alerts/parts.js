// What the views of alerts share: their tabs, their rules, and a group in words.

import { get, send } from "../../api.js";
import { h } from "../../dom.js";
import { act, badge, notice, severity, showDialog, tabs } from "../../parts.js";
import { link } from "../../router.js";
import { t, told } from "../../texts.js";

export const VIEW = "alerts";

const TONES = { open: "run", acknowledged: "plain", closed: "good" };
// So many areas are named, more are counted.
const MANY = 2;

/** The two halves of this view. */
export function alertTabs(current) {
  return tabs(t("alerts"), [
    { text: t("alerts"), href: link([VIEW]), isCurrent: current === "alerts" },
    { text: t("silences"), href: link([VIEW, "silences"]), isCurrent: current === "silences" },
  ]);
}

let known = null;

/** The rules that raise alerts, each with its title and meaning in the page's language; asked once. */
export async function rules(signal) {
  known ??= await get(["rules"], {}, signal);
  return known.map((rule) => ({ ...rule, title: told(`rule ${rule.rule}`) ?? rule.title, meaning: told(`why ${rule.rule}`) }));
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
  const names = namesOf(group);
  if (names.length <= 1 && isEnglish()) return group.subject;
  const title = all.find(({ rule }) => rule === group.rule)?.title ?? group.subject;
  if (names.length > 1) return `${title} · ${t("al n areas", { n: names.length })}`;
  return names.length === 1 ? `${title} · ${names[0]}` : title;
}

/** What a group is about, at length, with its figures: alerts tell them in English only. */
export function messageOf(group) {
  const isNamed = isEnglish() || namesOf(group).length > 0;
  return h("span", { lang: "en" }, isNamed ? group.message : `${group.subject}: ${group.message}`);
}

/** What it means that a group's rule raises alerts, in the page's language; null for a rule that the page does not know. */
export function meaningOf(group, all) {
  return all.find(({ rule }) => rule === group.rule)?.meaning ?? null;
}

/** A line about a group in the page's language, unless only its own words tell which thing it is about. */
export function lineOf(group, all) {
  return isEnglish() || namesOf(group).length === 0 ? messageOf(group) : meaningOf(group, all) ?? messageOf(group);
}

/** Whether the page speaks the language of alerts' own messages. */
export function isEnglish() {
  return document.documentElement.lang === "en";
}

/** The areas of a group: all where they are few. */
export function areasOf(group) {
  const names = namesOf(group);
  if (names.length === 0) return h("span", { class: "muted" }, "–");
  if (names.length <= MANY) return names.join(", ");
  return h("span", { title: names.join(", ") }, t("al n areas", { n: names.length }));
}

function namesOf(group) {
  return group.areas.filter(Boolean);
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
