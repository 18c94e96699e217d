// Powers, deviations and severities in words, as every part of the view of the load tells them.

import { number } from "../format.js";
import { badge } from "../parts.js";
import { t } from "../texts.js";

const TONES = { critical: "bad", warning: "warn" };

/** `47,590 MW` */
export function megawatts(value) {
  return `${number(Math.round(value))}\u00a0MW`;
}

/** A number with its sign: `+1.2`, `−95`. */
export function signed(value, digits = 0) {
  const shown = new Intl.NumberFormat(document.documentElement.lang, {
    signDisplay: "exceptZero", minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(value);
  return shown.replace("-", "\u2212");
}

/** How far a value is from what was expected: `−95 %`; null where that is not known. */
export function shareOff(value, expected) {
  if (!expected || value === null) return null;
  const share = (value / expected - 1) * 100;
  return `${signed(share, Math.abs(share) < 9.95 ? 1 : 0)}\u00a0%`;
}

export function severity(level) {
  return badge(level, t(`ld severity ${level}`), TONES[level] ?? "plain");
}
