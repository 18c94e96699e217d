// What the view of the load asks the API for, as series in order of time.

import { get } from "../../api.js";
import { HOUR, MINUTE } from "../../charts/paris.js";
import { spacing } from "../../charts/paths.js";
import { iso } from "../../format.js";

const QUARTER = 15 * MINUTE;
export const MOST_EPISODES = 200;

/** Questions of one visit; a newer one of a kind ends the older. */
export function loadSource(signal) {
  const running = new Map();
  const ask = async (kind, parts, parameters) => {
    running.get(kind)?.abort();
    const control = new AbortController();
    running.set(kind, control);
    return get(parts, parameters, AbortSignal.any([signal, control.signal]));
  };
  return {
    areas: async () => (await ask("areas", ["areas"], {})).map(({ name }) => name),
    latest: async (detector) => new Map((await ask("latest", ["latest"], { detector })).items.map((row) => [row.area, row])),
    curves: async (kind, areas, { start, end, points, known = "" }) => byArea(
      (await ask(kind, ["curve"], { areas, start: iso(start), end: iso(end), points, known_at: known })).items,
      (row) => ({ at: Date.parse(row.bucket_at), low: row.min, value: row.mean, high: row.max, count: row.values }),
    ),
    expected: async (kind, areas, detector, { start, end, points }) => byArea(
      (await ask(kind, ["expected"], { areas, detector, start: iso(start), end: iso(end), points })).items,
      (row) => ({
        at: Date.parse(row.bucket_at), low: row.lower_mw, value: row.expected_mw, high: row.upper_mw, count: row.anomalies,
        worst: row.worst_at && { at: Date.parse(row.worst_at), value: row.worst_mw, z: row.worst_z_score },
      }),
    ),
    forecast: async (kind, area, known) => (await ask(kind, ["forecasts"], { areas: area, known_at: known })).items.map((row) => ({
      at: Date.parse(row.target_at), value: row.q500_mw, q025: row.q025_mw, q100: row.q100_mw, q250: row.q250_mw,
      q750: row.q750_mw, q900: row.q900_mw, q975: row.q975_mw, issued: Date.parse(row.issued_at),
    })),
    episodes: async ({ start, end }) => (await ask("episodes", ["episodes"], { start: iso(start), end: iso(end), limit: MOST_EPISODES })).items.map((row) => ({
      ...row, start: Date.parse(row.started_at), end: Date.parse(row.ended_at),
    })),
    versions: async (area, at) => {
      const question = { areas: area, start: iso(at), end: iso(at + 1000) };
      const [all, counting] = await Promise.all([
        ask("versions", ["measurements"], { ...question, versions: "all" }), ask("counting", ["measurements"], question),
      ]);
      const now = counting.items[0];
      const counts = (row) => now && ["vintage", "version", "publisher"].every((name) => row[name] === now[name]);
      return all.items.map((row) => ({ ...row, counts: counts(row) })).sort((a, b) => a.inserted_at.localeCompare(b.inserted_at));
    },
  };
}

/**
 * Put a curve and what was expected of it on one footing: how far points stand apart, and each in the middle of its bucket.
 * @returns {{curve, expected, step, isBucketed, shift}}
 */
export function aligned(curve, expected) {
  const step = Math.min(spacing(curve, QUARTER), spacing(expected, QUARTER) || Infinity);
  const isBucketed = curve.some(({ count }) => count > 1);
  // What a bucket of an hour or more tells stands in its middle; a shorter one is told by its first instant.
  const shift = isBucketed && step >= HOUR ? step / 2 : 0;
  const moved = (points) => (shift ? points.map((point) => ({ ...point, at: point.at + shift })) : points);
  return { curve: moved(curve), expected: moved(expected), step, isBucketed, shift };
}

/** Return the instant of the series that is meant by a place on the chart. */
export function instantNear(at, { isBucketed, step }) {
  const grain = isBucketed || step > QUARTER ? Math.min(HOUR, Math.max(step, QUARTER)) : QUARTER;
  return isBucketed ? Math.floor(at / grain) * grain : Math.round(at / grain) * grain;
}

function byArea(rows, pick) {
  const found = new Map();
  for (const row of rows) {
    if (!found.has(row.area)) found.set(row.area, []);
    found.get(row.area).push(pick(row));
  }
  return found;
}
