// The shell: which view the address asks for, who is looking, in which language; it keeps what is shown up to date.

import { Problem, forgetKey, hasKey, keepKey, needsKey } from "./api.js";
import { fill, h } from "./dom.js";
import { refreshAges } from "./format.js";
import { button, empty, explain, freshness, heading, keepInSight, prose, turnNotices } from "./parts.js";
import { airflowAddress, link, openInAirflow, route, tellAirflow } from "./router.js";
import { t } from "./texts.js";
import { fileLoads } from "./views/file_loads/file_loads.js";
import { load } from "./views/load/load.js";
import { operations } from "./views/operations.js";

// Another view is another entry: `{id, title(), find(parts)}`, where find returns the function that shows an address.
const VIEWS = [load, ...operations, fileLoads];

const main = document.getElementById("main");
let leave = () => {};

/** What a view gets: where to show, what was asked for, and how to be asked again. */
function openPage(parameters) {
  const control = new AbortController();
  const fresh = freshness();
  let timer = null;
  leave = () => {
    control.abort();
    clearTimeout(timer);
  };
  return {
    main,
    parameters,
    signal: control.signal,
    fresh: fresh.element,
    setTitle: (title) => { document.title = `${title} · PowerSense`; },
    /** Call `read` now and again after the seconds that it returns, while somebody looks. Its first failure is thrown. */
    async keep(read) {
      const again = async (seconds) => {
        timer = setTimeout(async () => {
          if (control.signal.aborted) return;
          let wait = seconds;
          if (!document.hidden) {
            try {
              wait = await read();
              fresh.good();
            } catch (error) {
              if (error.name === "AbortError") return;
              fresh.stale();
              if (error.status === 401) return void show();
            }
          }
          again(wait);
        }, seconds * 1000);
      };
      const seconds = await read();
      fresh.good();
      if (!control.signal.aborted) again(seconds);
    },
  };
}

async function show({ focus = false } = {}) {
  leave();
  turnNotices();
  showBar();
  const { parts, parameters } = route();
  if (needsKey && !hasKey()) return askForKey();
  const view = VIEWS.find(({ id }) => id === (parts[0] ?? VIEWS[0].id));
  const showView = view?.find(parts.slice(1));
  const page = openPage(parameters);
  try {
    if (!showView) throw new Problem(404, t("not found"));
    await showView(page);
  } catch (error) {
    if (error.name === "AbortError" || page.signal.aborted) return undefined;
    if (error.status === 401 && needsKey) return askForKey(t("key wrong"));
    showFailure(error);
  }
  if (focus) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  return undefined;
}

function showBar() {
  const current = route().parts[0] ?? VIEWS[0].id;
  const language = document.documentElement.lang;
  document.getElementById("skip").textContent = t("skip");
  const views = document.getElementById("views");
  views.setAttribute("aria-label", t("views"));
  fill(views, VIEWS.map(({ id, title }) => h("a", { href: link([id]), "aria-current": id === current ? "true" : null }, title())));
  keepInSight(views);
  fill(
    document.getElementById("bar-end"),
    needsKey && hasKey() && button(t("forget key"), () => { forgetKey(); show(); }, { kind: "quiet" }),
    h(
      "div", { class: "languages", role: "group", "aria-label": t("language") },
      [["en", "English"], ["fr", "Français"]].map(([code, name]) => h("button", {
        type: "button", lang: code, title: name, "aria-pressed": String(code === language), onclick: () => setLanguage(code),
      }, code.toUpperCase())),
    ),
  );
}

function setLanguage(code) {
  try {
    localStorage.setItem("powersense.language", code);
  } catch {
    // without storage the choice lasts as long as the page
  }
  document.documentElement.lang = code;
  show();
  document.querySelector(`.languages [lang="${code}"]`).focus();
}

function askForKey(problem = null) {
  leave();
  forgetKey();
  showBar();
  document.title = `${t("key title")} · PowerSense`;
  const input = h("input", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": problem ? "key-problem" : null, "aria-invalid": problem ? "true" : null,
  });
  const open = (event) => {
    event.preventDefault();
    keepKey(input.value.trim());
    show({ focus: true });
  };
  fill(main, h(
    "form", { class: "key card", onsubmit: open },
    h("h1", {}, t("key title")), h("p", {}, prose(t("key help"))),
    h("label", { for: "key" }, t("key title")), input,
    problem && h("p", { class: "told bad", id: "key-problem" }, problem),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "button primary" }, t("key open"))),
  ));
  input.focus();
}

function showFailure(error) {
  const retry = button(t("retry"), () => show(), { kind: "primary" });
  const login = airflowAddress("");
  const isOut = error.status === 401;
  fill(
    main,
    error.status === 404 && heading({ trail: [[VIEWS[0].title(), link([VIEWS[0].id])]], title: "404" }),
    empty(explain(error), "", isOut && login ? button(t("log in"), () => openInAirflow(login), { kind: "primary" }) : retry),
  );
}

window.addEventListener("hashchange", () => {
  tellAirflow();
  show({ focus: true });
});
setInterval(refreshAges, 5000);
show();
