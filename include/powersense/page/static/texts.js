// What the page says: the texts of all views, a file each, in the language of the page.

import { FILE_LOADS } from "./texts/file_loads.js";
import { SHELL } from "./texts/shell.js";

const TEXTS = { ...SHELL, ...FILE_LOADS };

/** Return a text in the page's language, with its values. */
export function t(key, values = {}) {
  const texts = TEXTS[key];
  if (!texts) throw new Error(`no text "${key}"`);
  const text = texts[document.documentElement.lang === "fr" ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
