// The figures at the top: the newest load, how it stands against what was expected, the peak ahead, the episodes shown.

import { DAY, time } from "../../charts/paris.js";
import { fill, h } from "../../dom.js";
import { instant, megawatts, number, shareOff } from "../../format.js";
import { t } from "../../texts.js";

export function loadFigures() {
  const element = h("dl", { class: "load-figures" });
  return {
    element,
    /** @param {object} told `{latest, forecast, episodes, area, present}`; latest is null where the area has no load */
    show(told) {
      fill(element, [newest(told), against(told), peak(told), episodes(told)].map(({ label, value, sub, tone = "" }) => h(
        "div", { class: `load-figure ${tone}` }, h("dt", {}, label), h("dd", {}, h("span", { class: "value" }, value), h("span", { class: "sub" }, sub)),
      )));
    },
  };
}

function newest({ latest }) {
  if (!latest) return { label: t("ld load"), value: "–", sub: t("ld no values") };
  const age = instant(latest.observed_at).querySelector(".age");
  return { label: t("ld load at", { at: time(Date.parse(latest.observed_at)) }), value: megawatts(latest.value_mw), sub: [t("ld paris"), " · ", age] };
}

function against({ latest }) {
  if (!latest || latest.judged_at === null) return { label: t("ld against"), value: "–", sub: t("ld not judged") };
  const band = { value: megawatts(latest.expected_mw), low: number(Math.round(latest.lower_mw)), high: number(Math.round(latest.upper_mw)) };
  return {
    label: t("ld against"),
    value: [shareOff(latest.judged_mw, latest.expected_mw), latest.is_anomaly && h("span", { class: "flag" }, t("ld anomaly"))],
    sub: t("ld expected of", band),
    tone: latest.is_anomaly ? "bad" : "",
  };
}

function peak({ forecast, present }) {
  const ahead = forecast.filter(({ at }) => at >= present && at < present + DAY);
  if (ahead.length === 0) return { label: t("ld peak"), value: "–", sub: t("ld no forecast") };
  const top = ahead.reduce((best, point) => (point.value > best.value ? point : best));
  const band = { at: time(top.at), low: number(Math.round(top.q100)), high: number(Math.round(top.q900)) };
  return { label: t("ld peak"), value: megawatts(top.value), sub: t("ld peak at", band) };
}

function episodes({ episodes: all, area }) {
  const here = all.filter((episode) => episode.area === area).length;
  const elsewhere = all.length - here;
  return {
    label: t("ld episodes here"),
    value: number(here),
    sub: elsewhere > 0 ? t("ld and elsewhere", { n: elsewhere }) : t("ld none elsewhere"),
    tone: here > 0 ? "warn" : "",
  };
}
