// Calls of the API, which stands beside the page: with Airflow's session, or with a key that the person gave.

const ADDRESS = new URL("../api/v1/", document.baseURI);
const KEY = "powersense.key";

/** Whether calls carry a key that this page asks for. */
export const needsKey = document.documentElement.dataset.sign === "key";

/** An answer that is no success: `status` 0 where there was no answer at all; `errors` are those of single fields. */
export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

export function hasKey() {
  return sessionStorage.getItem(KEY) !== null;
}

/** Return an address below the API's, each part of the path escaped, without the parameters that are empty. */
export function address(parts, parameters = {}) {
  const url = new URL(parts.map(encodeURIComponent).join("/"), ADDRESS);
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url;
}

/** Return what the API answers to a GET. Throws `Problem`. */
export function get(parts, parameters, signal) {
  return call("GET", parts, { parameters, signal });
}

/** Send a body, and return what the API answers, or null. Throws `Problem`. */
export function send(method, parts, body) {
  return call(method, parts, { body });
}

async function call(method, parts, { parameters = {}, body, signal }) {
  const headers = { Accept: "application/json" };
  const key = needsKey ? sessionStorage.getItem(KEY) : null;
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(parts, parameters), {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "");
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return told;
  throw new Problem(answer.status, told?.detail ?? answer.statusText, told?.errors ?? []);
}
