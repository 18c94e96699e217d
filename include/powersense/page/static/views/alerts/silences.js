// Silences: when nobody is told of which alerts, and why.

import { get, send } from "../../api.js";
import { HOUR } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { chips, narrowing } from "../../filters.js";
import { instant } from "../../format.js";
import { act, badge, button, confirm, empty, explain, heading, notice, paged, showDialog, table } from "../../parts.js";
import { t } from "../../texts.js";
import { areas } from "../areas.js";
import { VIEW, alertTabs, rules } from "./parts.js";

const STATES = ["active", "upcoming", "past"];
const TONES = { active: "run", upcoming: "plain", past: "good" };
const HOURS = [1, 4, 12, 24, 72];

export async function showSilences(page) {
  page.setTitle(t("silences"));
  const wanted = { state: page.parameters.state ?? "" };
  const all = await rules(page.signal);
  const titles = Object.fromEntries(all.map(({ rule, title }) => [rule, title]));
  const listing = table(t("silences"), columns(titles, () => refresh()), ({ silence_id: id }) => id);
  const pages = paged(listing, (after) => get(["silences"], { states: wanted.state, after, limit: 50 }, page.signal), () => empty(t("si none"), t("si none help")));
  const refresh = async () => {
    await pages.refresh();
    return 15;
  };
  const change = narrowing([VIEW, "silences"], wanted, refresh);
  const states = chips(t("state"), (state) => change({ state }));
  states.show([{ id: "", text: t("all") }, ...STATES.map((id) => ({ id, text: t(`si state ${id}`) }))], wanted.state);
  fill(
    page.main, heading({ title: t("alerts"), lead: t("si lead"), actions: [button(t("si new"), () => silenceDialog(refresh), { kind: "primary" })] }),
    alertTabs("silences"), h("div", { class: "filters" }, states.element), pages.element, page.fresh,
  );
  await page.keep(refresh);
}

function columns(titles, done) {
  const listed = (names, none) => (names.length === 0 ? h("span", { class: "muted" }, t(none)) : names.join(", "));
  return [
    { name: t("state"), cell: (silence) => badge(silence.state, t(`si state ${silence.state}`), TONES[silence.state]) },
    { name: t("si reason"), kind: "wide", cell: (silence) => [h("span", { class: "strong" }, silence.reason), h("span", { class: "sub" }, t("by", { who: silence.author }))] },
    { name: t("si rules"), cell: (silence) => listed(silence.rules.map((rule) => titles[rule] ?? rule), "si every rule") },
    { name: t("al areas"), cell: (silence) => listed(silence.areas, "si every area") },
    { name: t("si starts"), kind: "when", cell: (silence) => instant(silence.starts_at) },
    { name: t("si ends"), kind: "when", cell: (silence) => [instant(silence.ends_at), silence.ended_by && h("span", { class: "sub" }, t("si ended by", { who: silence.ended_by }))] },
    { name: t("actions"), kind: "buttons", cell: (silence) => (silence.state === "past" ? null : button(t("si end"), () => end(silence, done), { label: t("si end one", { reason: silence.reason }), "data-focus": `end ${silence.silence_id}` })) },
  ];
}

function end(silence, done) {
  confirm({
    title: t("si end title"), help: t("si end help"), subject: silence.reason, text: t("si end"),
    work: async () => {
      await send("DELETE", ["silences", silence.silence_id]);
      notice(t("si ended"));
      await done();
    },
  });
}

/**
 * Ask for a silence.
 * @param {function} done is called once there is one
 * @param {object} given rules and areas that are chosen at first
 */
export async function silenceDialog(done, given = { rules: [], areas: [] }) {
  const [allRules, allAreas] = await Promise.all([rules(), areas()]);
  const reason = h("input", { id: "si-reason", type: "text", required: true, maxlength: 2000, autocomplete: "off" });
  const starts = h("input", { id: "si-starts", type: "datetime-local" });
  const ends = h("input", { id: "si-ends", type: "datetime-local", required: true });
  const from = () => (starts.value ? Date.parse(`${starts.value}Z`) : Date.now());
  const last = (hours) => { ends.value = local(new Date(from() + hours * HOUR)); };
  const problem = h("p", { class: "told bad", role: "alert" });
  const save = h("button", { type: "submit", class: "button primary" }, t("si silence"));
  const submit = (event) => {
    event.preventDefault();
    return act(save, async () => {
      const chosenOf = (name) => new FormData(form).getAll(name);
      const wish = { rules: chosenOf("rule"), areas: chosenOf("area"), ends_at: zoned(ends), reason: reason.value.trim() };
      try {
        await send("POST", ["silences"], starts.value ? { ...wish, starts_at: zoned(starts) } : wish);
      } catch (error) {
        fill(problem, explain(error));
        return;
      }
      notice(t("si made"));
      dialog.close();
      await done();
    });
  };
  const form = h(
    "form", { class: "label-form", onsubmit: submit },
    h("label", { for: "si-reason", class: "field" }, t("si reason")), reason,
    h("div", { class: "pair" }, h("div", {}, h("label", { for: "si-starts", class: "field" }, t("si starts input")), starts), h("div", {}, h("label", { for: "si-ends", class: "field" }, t("si ends input")), ends)),
    h("div", { class: "chips", role: "group", "aria-label": t("si for") }, h("span", { class: "muted" }, t("si for")), HOURS.map((hours) => h("button", { type: "button", class: "chip", onclick: () => last(hours) }, t("si hours", { n: hours })))),
    ticks(t("si rules"), t("si every rule"), "rule", allRules.map(({ rule, title }) => [rule, title]), given.rules),
    ticks(t("al areas"), t("si every area"), "area", allAreas.map((area) => [area, area]), given.areas),
    problem, h("div", { class: "actions start" }, save),
  );
  const dialog = showDialog(t("si title"), form, { wide: true });
  last(HOURS[1]);
  reason.focus();
}

/** Boxes to tick; none ticked stands for all. */
function ticks(legend, none, name, entries, given) {
  const summary = h("span", { class: "sub" });
  const boxes = entries.map(([value, text]) => h("label", { class: "tick" }, h("input", { type: "checkbox", name, value, checked: given.includes(value) }), h("span", {}, text)));
  const field = h("fieldset", { class: "ticks" }, h("legend", {}, legend, " ", summary), h("div", { class: "tick-list" }, boxes));
  const tell = () => {
    const count = field.querySelectorAll("input:checked").length;
    fill(summary, count === 0 ? none : t("of n", { some: count, all: entries.length }));
  };
  field.addEventListener("change", tell);
  tell();
  return field;
}

/** An instant as a field without a zone shows it; the page's zone is UTC. */
function local(at) {
  return at.toISOString().slice(0, 16);
}

function zoned(input) {
  return `${input.value}:00Z`;
}
