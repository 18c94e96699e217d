// What the page says: the texts of all views, a file each, in the language of the page.

import { FILE_LOADS } from "./texts/file_loads.js";
import { OPERATIONS } from "./texts/operations.js";
import { LOAD } from "./texts/load.js";
import { SHELL } from "./texts/shell.js";

const TEXTS = { ...SHELL, ...LOAD, ...FILE_LOADS, ...OPERATIONS };

/** Return a text in the page's language, with its values. */
export function t(key, values = {}) {
  const texts = TEXTS[key];
  if (!texts) throw new Error(`no text "${key}"`);
  const text = texts[document.documentElement.lang === "fr" ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Return a text in the page's language, or null where there is none of this key. */
export function told(key) {
  return key in TEXTS ? t(key) : null;
}
