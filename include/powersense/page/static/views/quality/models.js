// The models that serve: forecasts of each area, and the ensembles of the stream with their workers.

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { instant, number, percent } from "../../format.js";
import { badge, empty, facts, shownOr, table } from "../../parts.js";
import { t, told } from "../../texts.js";
import { franceFirst } from "../areas.js";

const ACTIONS = { promote: "good", keep: "plain", rollback: "warn" };

export async function showModels(page, content) {
  const forecasts = shownOr(modelsTable(), () => empty(t("not set up"), t("qu no models")));
  const stream = h("section", {});
  let before = "";
  fill(content, h("h2", { class: "first" }, t("qu forecast models")), forecasts.element, stream);
  await page.keep(async () => {
    const [models, status] = await Promise.all([get(["models"], { limit: 1000 }, page.signal), get(["anomalies", "status"], {}, page.signal)]);
    forecasts.show(newestOf(models.items));
    const now = JSON.stringify(status);
    if (now !== before) {
      before = now;
      showStream(stream, status);
    }
    return 30;
  });
}

/** Of each area the model that was decided upon last, else the one trained last. */
function newestOf(models) {
  const found = new Map();
  const rank = (model) => `${model.last_decided_at ?? ""} ${model.trained_at}`;
  for (const model of models) if (!found.has(model.area) || rank(model) > rank(found.get(model.area))) found.set(model.area, model);
  return [...found.values()].sort((one, other) => franceFirst(one.area, other.area));
}

function modelsTable() {
  return table(t("qu forecast models"), [
    { name: t("area"), cell: (model) => h("span", { class: "strong" }, model.area) },
    { name: t("qu model"), cell: (model) => [h("span", { class: "mono" }, model.model), h("span", { class: "sub" }, t(model.uses_weather ? "qu with weather" : "qu without weather"))] },
    { name: t("qu trained"), kind: "when", cell: (model) => instant(model.trained_at) },
    { name: t("qu learnt until"), kind: "when", cell: (model) => instant(model.data_until) },
    { name: t("qu held out"), kind: "number", cell: (model) => percent(metricsOf(model).mape, 2) },
    { name: t("qu decision"), cell: (model) => (model.last_action ? badge(model.last_action, told(`qu action ${model.last_action}`) ?? model.last_action, ACTIONS[model.last_action]) : "–") },
  ], ({ model_id: id }) => id);
}

function metricsOf(model) {
  try {
    return JSON.parse(model.metrics) ?? {};
  } catch {
    return {}; // a model that was never measured
  }
}

function showStream(box, status) {
  const isSetUp = status.streaming !== "not set up";
  const alive = status.workers.filter((worker) => worker.is_alive).length;
  const day = status.last_day;
  fill(
    box, h("h2", {}, t("qu stream")),
    !isSetUp && h("p", { class: "told plain" }, t("qu stream not set up")),
    facts([
      [t("qu workers"), isSetUp ? t("of n", { some: alive, all: status.workers.length }) : "–"],
      [t("qu lag"), status.lag === null ? "–" : t("qu messages", { n: status.lag })],
      [t("qu last day"), t("qu messages", { n: day.messages }), h("span", { class: "sub" }, t("qu anomalies", { n: day.anomalies }))],
      [t("qu dead letters"), number(day.dead_letters), day.last_failed_at && h("span", { class: "sub" }, instant(day.last_failed_at))],
      [t("qu last scored"), instant(day.last_scored_at)],
    ]),
    status.models.length > 0 && streamModels(status.models),
  );
}

function streamModels(models) {
  const listing = table(t("qu stream models"), [
    { name: t("qu scope"), cell: (model) => h("span", { class: "strong" }, model.scope || t("qu pooled")) },
    { name: t("qu ensemble"), kind: "wide", cell: (model) => [h("span", { class: "mono path" }, model.model_id), h("span", { class: "sub wrap" }, model.model_names.join(", "))] },
    { name: t("qu trained"), kind: "when", cell: (model) => instant(model.trained_at) },
    { name: t("rows"), kind: "number", cell: (model) => number(model.rows_trained) },
  ], ({ model_id: id }) => id);
  listing.show(models);
  return listing.element;
}
