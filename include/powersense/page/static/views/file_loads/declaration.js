// Declaring an ingestion, or changing its declaration: JSON, with the server's word on each field.

import { get, send } from "../../api.js";
import { fill, h } from "../../dom.js";
import { json } from "../../format.js";
import { act, button, explain, heading, noticeNext } from "../../parts.js";
import { go, link } from "../../router.js";
import { t } from "../../texts.js";
import { VIEW } from "./address.js";

const EXAMPLE = {
  name: "meter_readings",
  description: "",
  uri: "s3://bucket/meters/{yyyy}/{mm}/{dd}/*.csv.gz",
  connection: "",
  format: "csv",
  target: {
    kind: "table",
    table: "meter_readings",
    columns: [
      { name: "meter_id", type: "String", is_required: true },
      { name: "read_at", type: "DateTime('UTC')", is_required: true },
      { name: "energy_kwh", type: "Nullable(Float64)" },
    ],
    mode: "upsert",
    key: ["meter_id", "read_at"],
  },
  schema_policy: "fail",
  schedule: "0 6 * * *",
  deadline_hours: 26,
  enabled: true,
};

export async function showDeclaration(page, name) {
  const isNew = name === null;
  const title = isNew ? t("declare title") : t("edit title", { name });
  page.setTitle(title);
  const known = isNew ? EXAMPLE : (await get(["file-ingestions", name], {}, page.signal)).declaration;
  const text = h("textarea", {
    id: "declaration", class: "code mono", rows: "26", spellcheck: "false", autocapitalize: "off", autocomplete: "off",
    wrap: "off", "aria-describedby": "declaration-help problems",
  });
  text.value = json(known);
  const problems = h("div", { id: "problems", class: "problems-box", role: "alert" });
  const save = button(t("save"), () => submit(), { kind: "primary" });
  const submit = async () => {
    showProblems(problems, text, "", []);
    const given = parsed(text, problems);
    if (given === undefined) return;
    await act(save, () => store(isNew, name, given, text, problems));
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
  });
  fill(
    page.main,
    heading({ trail: [[t("file loads"), link([VIEW])], ...(isNew ? [] : [[name, link([VIEW, name])]])], title }),
    h("div", { class: "editor" },
      h("label", { for: "declaration" }, t("declaration json")),
      h("p", { id: "declaration-help", class: "muted" }, t("declare help")),
      problems, text,
      h("div", { class: "actions start" }, save, h("a", { class: "button plain", href: link(isNew ? [VIEW] : [VIEW, name]) }, t("cancel")))),
  );
  text.setSelectionRange(0, 0);
}

async function store(isNew, name, given, text, problems) {
  try {
    const stored = isNew
      ? await send("POST", ["file-ingestions"], given)
      : await send("PUT", ["file-ingestions", name], given);
    noticeNext(t("saved", { name: stored.name }));
    go([VIEW, stored.name]);
  } catch (error) {
    if (![409, 422].includes(error.status)) throw error;
    showProblems(problems, text, error.errors.length > 0 ? t("problems") : explain(error), error.errors);
  }
}

function parsed(text, problems) {
  try {
    return JSON.parse(text.value);
  } catch (error) {
    showProblems(problems, text, t("not json", { why: error.message }), []);
    return undefined;
  }
}

/** Show what is wrong, field by field; a field's name leads to where it stands in the text. */
function showProblems(box, text, title, fields) {
  text.setAttribute("aria-invalid", String(Boolean(title)));
  fill(box, title && h(
    "div", { class: "card error" },
    h("p", { class: "strong" }, title),
    fields.length > 0 && h("ul", { class: "problems" }, fields.map(({ field, value, remedy }) => h(
      "li", {},
      button(field, () => select(text, field), { kind: "link mono" }),
      value !== null && h("span", { class: "mono muted" }, ` = ${typeof value === "string" ? value : JSON.stringify(value)}`),
      h("span", { class: "remedy" }, remedy),
    ))),
  ));
  if (!title) return;
  text.focus({ preventScroll: true });
  box.scrollIntoView({ block: "nearest" });
}

function select(text, field) {
  const name = field.replaceAll(/\[\d+\]/g, "").split(".").pop();
  const start = text.value.indexOf(`"${name}"`);
  text.focus();
  if (start >= 0) text.setSelectionRange(start, start + name.length + 2);
}
