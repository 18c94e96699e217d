// The areas, as the views of operations list them.

import { get } from "../api.js";
import { t } from "../texts.js";

let known = null;

/** The names of the areas in their order; asked once. */
export async function areas(signal) {
  known ??= (await get(["areas"], {}, signal)).map(({ name }) => name).sort(franceFirst);
  return known;
}

/** Compare names of areas: France, then its regions as French sorts them. */
export function franceFirst(one, other) {
  return (other === "France") - (one === "France") || one.localeCompare(other, "fr");
}

/** The entries of a choice among areas. */
export function areaEntries(areas) {
  return [["", t("all areas")], ...areas.map((area) => [area, area])];
}
