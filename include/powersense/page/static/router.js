// Which view the address asks for: `#/file-loads/<ingestion>/runs?state=failed`.

/** Return the address as path parts and parameters. */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path.split("/").filter(Boolean).map(decode),
    parameters: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** Return the address of a view. */
export function link(parts, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value)).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/**
 * Return the function that finds what a view shows by the parts of an address that follow its own.
 * @param {function} list shows the view itself
 * @param {object} named sections, each with the function that shows it
 * @param {function} one `(page, id)` shows what has that id, if anything has
 */
export function finder(list, named = {}, one = null) {
  return ([id, ...rest]) => {
    if (rest.length > 0) return null;
    if (id === undefined) return list;
    if (Object.hasOwn(named, id)) return named[id];
    return one && ((page) => one(page, id));
  };
}

export function go(parts, parameters = {}) {
  location.hash = link(parts, parameters);
}

/** Go without a step in the history, as for filters. */
export function goInstead(parts, parameters = {}) {
  history.replaceState(null, "", link(parts, parameters));
  tellAirflow();
}

/** Go with a step in the history, while the view shows the change itself. */
export function goOn(parts, parameters = {}) {
  history.pushState(null, "", link(parts, parameters));
  tellAirflow();
}

/** Let Airflow's own address name the view, so that it can be copied and reloaded. */
export function tellAirflow() {
  const airflow = framedBy();
  if (!airflow || !airflow.location.pathname.includes("/plugin/")) return;
  const url = new URL(airflow.location.href);
  url.hash = location.hash;
  airflow.history.replaceState(airflow.history.state, "", url);
}

/** Return the address of something in Airflow's own interface, or null outside it. */
export function airflowAddress(path) {
  const airflow = framedBy();
  return airflow ? new URL(path, airflow.document.baseURI).href : null;
}

/** Open an address in place of Airflow's own page. Its sandbox lets frames open nothing: Airflow's document does it. */
export function openInAirflow(address) {
  const anchor = framedBy().document.createElement("a");
  anchor.href = address;
  anchor.click();
}

function framedBy() {
  return document.documentElement.dataset.framed === undefined ? null : window.parent;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
