// What the view of the load shows, as it stands in the address; and the range that it means.

import { DAY, HOUR, MINUTE } from "../../charts/paris.js";
import { iso } from "../../format.js";
import { goInstead, goOn, link } from "../../router.js";

export const VIEW = "load";
export const DETECTORS = ["baseline_zscore", "forecast_residual_day", "forecast_residual_hour"];
export const SPANS = ["day", "week", "month", "year", "all"];
const LAYERS = ["expected", "forecast"];

// Days before the present and after it; what lies ahead is at most what is forecast.
const DAYS = { day: [1, 1], week: [7, 7], month: [30, 7], year: [365, 7], all: [Infinity, 7] };
const QUARTER = 15 * MINUTE;

/** Return the state that an address tells; what is wrong in it is left out. */
export function readState({ area = "France", span = "week", start, end, at, known, judge, hide = "" }) {
  const [from, to] = [Date.parse(start), Date.parse(end)];
  const isRange = from < to;
  return {
    area,
    span: isRange ? null : SPANS.includes(span) ? span : "week",
    start: isRange ? from : null,
    end: isRange ? to : null,
    at: Number.isNaN(Date.parse(at)) ? null : Date.parse(at),
    // As it was told: it may be as fine as a microsecond.
    known: Number.isNaN(Date.parse(known)) ? "" : known,
    detector: DETECTORS.includes(judge) ? judge : DETECTORS[0],
    hidden: new Set(hide.split(",").filter((layer) => LAYERS.includes(layer))),
  };
}

/** Return the parameters of the address of a state; what is usual is left out. */
function parametersOf(state) {
  return {
    area: state.area === "France" ? "" : state.area,
    span: state.span === "week" ? "" : state.span,
    start: state.start && iso(state.start),
    end: state.end && iso(state.end),
    at: state.at && iso(state.at),
    known: state.known,
    judge: state.detector === DETECTORS[0] ? "" : state.detector,
    hide: [...state.hidden].join(","),
  };
}

export function addressOf(state) {
  return link([VIEW], parametersOf(state));
}

/** Write a state into the address; with a step in the history where another thing is looked at. */
export function writeState(state, { isStep = false } = {}) {
  (isStep ? goOn : goInstead)([VIEW], parametersOf(state));
}

/**
 * Return all that there is, and the range that a state means, in whole quarter-hours.
 * @param {object} latest of the area, or null where it has none
 */
export function boundsOf(state, latest, now) {
  const newest = latest ? Date.parse(latest.observed_at) : now;
  const ahead = latest?.forecast_until ? Date.parse(latest.forecast_until) : newest;
  // Where data and forecasts ended long ago, as in an archive, their end is the present.
  const present = Math.max(newest, ahead) < now - 2 * DAY ? newest : now;
  const first = latest ? Date.parse(latest.first_observed_at) : now - 7 * DAY;
  const last = Math.max(present, newest, ahead) + HOUR;
  const [before, after] = DAYS[state.span] ?? [0, 0];
  const wanted = state.span === null
    ? [state.start, state.end]
    : [Math.max(first, present - before * DAY), Math.max(present + HOUR, Math.min(present + after * DAY, ahead))];
  return {
    first: Math.min(first, wanted[0]),
    last: Math.max(last, wanted[1]),
    present,
    start: Math.floor(wanted[0] / QUARTER) * QUARTER,
    end: Math.ceil(wanted[1] / QUARTER) * QUARTER,
  };
}
