// Numbers, sizes, durations and instants as people read them.

import { h } from "./dom.js";

const language = () => document.documentElement.lang;
const two = (number) => String(number).padStart(2, "0");

export function number(value) {
  return new Intl.NumberFormat(language()).format(value);
}

/** A size in bytes: "12.3 MB", "12,3 Mo". */
export function size(bytes) {
  const units = language() === "fr" ? ["o", "ko", "Mo", "Go", "To"] : ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.95 ? 1 : 0;
  const shown = new Intl.NumberFormat(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${shown.format(value)}\u00a0${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 60) {
    const shown = new Intl.NumberFormat(language(), { maximumSignificantDigits: seconds < 10 ? 2 : 3 });
    return `${shown.format(seconds)}\u00a0s`;
  }
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}\u00a0min ${two(whole % 60)}\u00a0s`;
  return `${Math.floor(whole / 3600)}\u00a0h ${two(Math.floor((whole % 3600) / 60))}\u00a0min`;
}

/** JSON for people: what fits on a line stands on one. */
export function json(value, indent = "") {
  const flat = JSON.stringify(value);
  if (value === null || typeof value !== "object" || (indent !== "" && flat.length + indent.length < 88)) {
    return flat.replaceAll(/("(?:[^"\\]|\\.)*")|([,:])/g, (whole, text, sign) => (text ?? `${sign} `));
  }
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const lines = Object.entries(value).map(([key, item]) => `${inner}${isList ? "" : `${JSON.stringify(key)}: `}${json(item, inner)}`);
  const [open, close] = isList ? "[]" : "{}";
  return lines.length === 0 ? open + close : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

/** An instant in UTC with its age beside it; the local time shows on hover. Null is a dash. */
export function instant(iso) {
  if (!iso) return h("span", { class: "muted" }, "–");
  const at = new Date(iso);
  return h(
    "time", { datetime: at.toISOString(), title: hover(at) },
    h("span", { class: "instant" }, utc(at)), " ", h("span", { class: "age", "data-age": at.toISOString() }, age(at)),
  );
}

/** `2017-09-30 12:05` */
export function utc(at) {
  return at.toISOString().slice(0, 16).replace("T", " ");
}

/** `12:05:09` */
export function utcClock(at) {
  return at.toISOString().slice(11, 19);
}

/** Bring every age on the page up to now. */
export function refreshAges() {
  for (const element of document.querySelectorAll("[data-age]")) {
    const shown = age(new Date(element.dataset.age));
    if (element.textContent !== shown) element.textContent = shown;
  }
}

function hover(at) {
  const local = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "long" }).format(at);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC\n${local} (${zone})`;
}

function age(at) {
  const seconds = (at - Date.now()) / 1000;
  const relative = new Intl.RelativeTimeFormat(language(), { numeric: "auto", style: "short" });
  const far = Math.abs(seconds);
  if (far < 45) return relative.format(Math.round(seconds / 5) * 5, "second");
  if (far < 2700) return relative.format(Math.round(seconds / 60), "minute");
  if (far < 79_200) return relative.format(Math.round(seconds / 3600), "hour");
  if (far < 30 * 86_400) return relative.format(Math.round(seconds / 86_400), "day");
  if (far < 365 * 86_400) return relative.format(Math.round(seconds / (30.44 * 86_400)), "month");
  return relative.format(Math.round(seconds / (365.25 * 86_400)), "year");
}
