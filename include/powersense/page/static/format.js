// Numbers, sizes, durations and instants as people read them.

import { span as parisSpan } from "./charts/paris.js";
import { h } from "./dom.js";

const language = () => document.documentElement.lang;
const SIGN = { signDisplay: "exceptZero" };
const two = (number) => String(number).padStart(2, "0");

export function number(value) {
  return new Intl.NumberFormat(language()).format(value);
}

/** A number with so many decimals: `1.20`. */
export function decimal(value, digits, style = {}) {
  return new Intl.NumberFormat(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits, ...style }).format(value);
}

/** A number with its sign, nought without: `+1.2`, `−2,580 MW`. */
export function signed(value, unit = "", digits = 0) {
  return minus(decimal(value, digits, SIGN)) + (unit && `\u00a0${unit}`);
}

/** How many usual deviations a load is off, on one line: `z = −20.4`. */
export function zScore(value) {
  return `z\u00a0=\u00a0${signed(value, "", 1)}`;
}

/** A load in whole megawatts: `47,590 MW`. */
export function megawatts(value) {
  return `${number(Math.round(value))}\u00a0MW`;
}

/** A share as a percentage, written as the language does: `98%`, `98 %`; a dash without one. */
export function percent(share, digits = 0, style = {}) {
  if (share === null || share === undefined) return "–";
  // Browsers differ in the space that French sets before the sign.
  return decimal(share, digits, { style: "percent", ...style }).replace(/\s%$/, "\u00a0%");
}

/** How far a share is above or below another: `−8%`. */
export function signedPercent(share, digits = 0) {
  return minus(percent(share, digits, SIGN));
}

/** How far a value is from what was expected: `−95%`; null where that is not known. */
export function shareOff(value, expected) {
  if (!expected || value === null) return null;
  const share = value / expected - 1;
  return signedPercent(share, Math.abs(share) < 0.0995 ? 1 : 0);
}

function minus(text) {
  return text.replace("-", "\u2212");
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
  return `${decimal(value, digits)}\u00a0${units[unit]}`;
}

/** How long something took: `4.2 s`, `1 min 30 s`, `24 h`; a dash where that is not known. */
export function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 60) {
    const shown = new Intl.NumberFormat(language(), { maximumSignificantDigits: seconds < 10 ? 2 : 3 });
    return `${shown.format(seconds)}\u00a0s`;
  }
  const whole = Math.round(seconds);
  const [size, unit, part] = whole < 3600 ? [60, "min", "s"] : [3600, "h", "min"];
  const rest = Math.floor((whole % size) / (size / 60));
  return `${Math.floor(whole / size)}\u00a0${unit}${rest > 0 ? `\u00a0${two(rest)}\u00a0${part}` : ""}`;
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

/** Two instants on the clocks of Paris, `21 Nov 2026, 14:00 – 18:00`; in UTC on hover. */
export function stretch(start, end) {
  const hovered = [start, end].map((at) => utc(new Date(at))).join(" – ");
  return h("span", { class: "span", title: `${hovered} UTC` }, parisSpan(Date.parse(start), Date.parse(end)));
}

/** `2026-11-21T13:00:00Z`, as addresses and the API take it. */
export function iso(at) {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
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
  return `${utc(at)}:${two(at.getUTCSeconds())} UTC\n${local} (${zone})`;
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
