// Instants on the clocks of Paris, by which people use power; numbers are milliseconds since 1970.

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const ZONE = "Europe/Paris";
const WALL = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
});
const formats = new Map();

/** Return what the clocks of Paris show, as if they were in UTC: `wall(at) - at` is how far they are ahead. */
export function wall(at) {
  const told = Object.fromEntries(WALL.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second);
}

/** Return the instant at which the clocks of Paris show this; of an hour that comes twice the first. */
export function instantOf(shown) {
  const before = shown - (wall(shown - 2 * HOUR) - (shown - 2 * HOUR));
  return wall(before) === shown ? before : shown - (wall(shown) - shown);
}

function show(at, key, options) {
  const language = document.documentElement.lang === "fr" ? "fr-FR" : "en-GB";
  const name = `${language} ${key}`;
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(language, { timeZone: ZONE, ...options }));
  return formats.get(name).format(at);
}

/** "Sat, 21 Nov 2026, 14:00" */
export function dayTime(at) {
  return `${show(at, "full day", { weekday: "short", day: "numeric", month: "short", year: "numeric" })}, ${time(at)}`;
}

/** "14:00" */
export function time(at) {
  return show(at, "time", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** "21 Nov 2026" */
export function day(at) {
  return show(at, "day", { day: "numeric", month: "short", year: "numeric" });
}

/** "21 Nov 2026, 14:00" */
export function dateTime(at) {
  return `${day(at)}, ${time(at)}`;
}

/** Two ends as short as they can be told: "21 Nov 2026, 14:00 – 18:00". */
export function span(start, end) {
  const isWhole = [start, end].every((at) => wall(at) % DAY === 0);
  if (isWhole) return end - start <= 25 * HOUR ? day(start) : `${beginning(start, end - 1)} – ${day(end - 1)}`;
  if (end - start > 5 * DAY) return `${beginning(start, end)} – ${day(end)}`;
  if (day(start) === day(end)) return `${dateTime(start)} – ${time(end)}`;
  return `${beginning(start, end)}, ${time(start)} – ${dateTime(end)}`;
}

/** A first day whose year is told where the last one is of another. */
function beginning(start, end) {
  const isSameYear = new Date(wall(start)).getUTCFullYear() === new Date(wall(end)).getUTCFullYear();
  return isSameYear ? show(start, "day month", { day: "numeric", month: "short" }) : day(start);
}

const STEPS = [
  ...[1, 2, 3, 6, 12].map((count) => ({ unit: "hour", count, length: count * HOUR })),
  ...[1, 2, 7, 14].map((count) => ({ unit: "day", count, length: count * DAY })),
  ...[1, 2, 3, 6].map((count) => ({ unit: "month", count, length: count * 30.44 * DAY })),
  ...[1, 2, 5, 10, 25].map((count) => ({ unit: "year", count, length: count * 365.25 * DAY })),
];

/** Return at most about `most` marks of a time axis, each `{at, label, isMajor}`; major: a new day among hours, a new year among months. */
export function timeTicks(start, end, most) {
  const step = STEPS.find(({ length }) => (end - start) / length <= most) ?? STEPS.at(-1);
  const marks = [];
  for (let shown = firstMark(wall(start), step); marks.length < 200; shown = nextMark(shown, step)) {
    const at = instantOf(shown);
    if (at > end) break;
    if (at >= start) marks.push({ at, ...named(at, new Date(shown), step.unit) });
  }
  return marks;
}

/** Whether marks stand at whole days, so that weekends can be told from weekdays. */
export function weekends(start, end) {
  const found = [];
  for (let shown = Math.floor(wall(start) / DAY) * DAY; instantOf(shown) < end; shown += DAY) {
    if (new Date(shown).getUTCDay() === 6) found.push([Math.max(start, instantOf(shown)), Math.min(end, instantOf(shown + 2 * DAY))]);
    else if (found.length === 0 && new Date(shown).getUTCDay() === 0) found.push([start, Math.min(end, instantOf(shown + DAY))]);
  }
  return found;
}

function firstMark(shown, { unit, count }) {
  const date = new Date(shown);
  if (unit === "hour") return Math.floor(shown / DAY) * DAY;
  // 5 January 1970 was a Monday.
  if (unit === "day") return Math.floor((shown / DAY - 4) / count) * count * DAY + 4 * DAY;
  if (unit === "month") return Date.UTC(date.getUTCFullYear(), Math.floor(date.getUTCMonth() / count) * count);
  return Date.UTC(Math.floor(date.getUTCFullYear() / count) * count, 0);
}

function nextMark(shown, { unit, count }) {
  const date = new Date(shown);
  if (unit === "hour") return shown + count * HOUR;
  if (unit === "day") return shown + count * DAY;
  if (unit === "month") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count);
  return Date.UTC(date.getUTCFullYear() + count, 0);
}

function named(at, shown, unit) {
  const isMidnight = shown.getTime() % DAY === 0;
  if (unit === "hour") {
    return isMidnight ? { label: show(at, "weekday", { weekday: "short", day: "numeric", month: "short" }), isMajor: true } : { label: time(at), isMajor: false };
  }
  if (unit === "day") return { label: show(at, "weekday", { weekday: "short", day: "numeric", month: "short" }), isMajor: shown.getUTCDay() === 1 };
  const isYear = shown.getUTCMonth() === 0;
  if (unit === "month" && !isYear) return { label: show(at, "month", { month: "short" }), isMajor: false };
  return { label: String(shown.getUTCFullYear()), isMajor: isYear && unit === "month" };
}
