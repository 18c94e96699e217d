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

/** Whether a problem is that dbt has yet to build what is asked for; a warehouse that is away is another. */
export function isNotBuilt(problem) {
  return problem.status === 503 && problem.message.includes("transform_warehouse");
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

/** Return an address below the API's, each part of the path escaped, without the parameters that are empty; a list repeats its name. */
function address(parts, parameters = {}) {
  const url = new URL(parts.map(encodeURIComponent).join("/"), ADDRESS);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one) url.searchParams.append(name, one);
  }
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

/** Save what the API answers to a GET in another format as a file of the person's. Throws `Problem`. */
export async function download(parts, parameters, type, name, signal) {
  const answer = await ask("GET", parts, { parameters, signal, accept: type });
  if (!answer.ok) throw await problemOf(answer);
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(await answer.blob());
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}

async function call(method, parts, { parameters = {}, body, signal }) {
  const answer = await ask(method, parts, { parameters, body, signal });
  if (!answer.ok) throw await problemOf(answer);
  return answer.status === 204 ? null : read(answer);
}

async function ask(method, parts, { parameters = {}, body, signal, accept = "application/json" }) {
  const headers = { Accept: accept };
  const key = needsKey ? sessionStorage.getItem(KEY) : null;
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(address(parts, parameters), {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "");
  }
}

/** Return the JSON of an answer, or null where it is none. */
async function read(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

async function problemOf(answer) {
  const told = await read(answer);
  return new Problem(answer.status, told?.detail ?? answer.statusText, told?.errors ?? []);
}
