// What people say an episode was: the form, and how it shows.

import { send } from "../../api.js";
import { dayTime } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { act, badge, button, explain, notice, showDialog } from "../../parts.js";
import { t } from "../../texts.js";

export const LABELS = ["true_event", "data_error", "false_alarm"];
const TONES = { true_event: "run", data_error: "warn", false_alarm: "good" };

export function labelBadge(label) {
  return badge(label, t(`label ${label}`), TONES[label]);
}

/**
 * The form that labels episodes, one or several.
 * @param {Array} episodes rows of the API
 * @param {function} done is called when all are labelled
 */
export function labelForm(episodes, done) {
  const [one] = episodes;
  const present = episodes.length === 1 ? one.label : null;
  const problem = h("p", { class: "told bad", role: "alert" });
  const option = (label) => h(
    "label", { class: "option" }, h("input", { type: "radio", name: "label", value: label, required: true, checked: label === present }),
    h("span", {}, h("span", { class: "option-name" }, labelBadge(label)), h("span", { class: "sub" }, t(`label ${label} help`))),
  );
  const comment = h("textarea", { id: "label-comment", rows: 2, maxlength: 2000 }, present ? one.label_comment ?? "" : "");
  const save = h("button", { type: "submit", class: "button primary" }, t("ep save label"));
  const submit = async (event) => {
    event.preventDefault();
    const label = new FormData(form).get("label");
    save.disabled = true;
    try {
      for (const { episode_id: id } of episodes) await send("PUT", ["episodes", id, "label"], { label, comment: comment.value.trim() });
      notice(t(episodes.length === 1 ? "ep labelled" : "ep labelled several", { n: episodes.length }));
      await done();
    } catch (error) {
      fill(problem, explain(error));
    } finally {
      save.disabled = false;
    }
  };
  const form = h(
    "form", { class: "label-form", onsubmit: submit },
    h("fieldset", {}, h("legend", {}, t("ep what was it")), LABELS.map(option)),
    h("label", { for: "label-comment", class: "field" }, t("comment")), comment, problem,
    h("div", { class: "actions start" }, save),
  );
  return form;
}

export function labelDialog(episodes, done) {
  const names = episodes.map(({ area, started_at: at }) => `${area} · ${dayTime(Date.parse(at))}`);
  const dialog = showDialog(episodes.length === 1 ? t("ep label one title") : t("ep label title", { n: episodes.length }), [
    h("ul", { class: "subject chosen" }, names.map((name) => h("li", {}, name))),
    labelForm(episodes, async () => {
      dialog.close();
      await done();
    }),
  ]);
}

/** Take back what was said of an episode. */
export function takeBack(id, done) {
  return button(t("take back"), ({ target }) => act(target, async () => {
    await send("DELETE", ["episodes", id, "label"]);
    notice(t("ep taken back"));
    await done();
  }), { "data-focus": `back ${id}` });
}
