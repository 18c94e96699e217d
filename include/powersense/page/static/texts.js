// What the page says: the texts of all views, a file each, in the language of the page.

import { number } from "./format.js";
import { FILE_LOADS } from "./texts/file_loads.js";
import { LOAD } from "./texts/load.js";
import { OPERATIONS } from "./texts/operations.js";
import { RULES } from "./texts/rules.js";
import { SHELL } from "./texts/shell.js";

const TEXTS = { ...SHELL, ...LOAD, ...FILE_LOADS, ...OPERATIONS, ...RULES };

/**
 * Return a text in the page's language, with its values, numbers written as the language does. `{n|day|days}` in a text is
 * the word that goes with a number.
 */
export function t(key, values = {}) {
  const texts = TEXTS[key];
  if (!texts) throw new Error(`no text "${key}"`);
  const text = document.documentElement.lang === "fr" ? frenchSpaces(texts[1]) : texts[0];
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^|}]*))?\}/g, (whole, name, one, several) => {
    const value = values[name];
    if (one !== undefined) return isOne(value) ? one : several;
    return value === undefined ? whole : typeof value === "number" ? number(value) : String(value);
  });
}

function isOne(count) {
  return new Intl.PluralRules(document.documentElement.lang).select(count) === "one";
}

/** French sets spaces beside some signs; no line may end there, and some are narrow. */
function frenchSpaces(text) {
  return text.replace(/ (?=[;?!])/g, "\u202f").replace(/ (?=[:»%])|(?<=«) /g, "\u00a0");
}

/** Return a text in the page's language, or null where there is none of this key. */
export function told(key) {
  return key in TEXTS ? t(key) : null;
}
