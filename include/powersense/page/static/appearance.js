// Theme and language before the first paint, so that nothing flashes; a classic script, since modules run later.
"use strict";

(() => {
  const LANGUAGE = "powersense.language";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const airflow = findAirflow();

  /** Return Airflow's document where this page stands in a frame of it, else null. */
  function findAirflow() {
    try {
      return window.parent === window ? null : window.parent.document;
    } catch {
      return null; // another site's frame: its document is not ours to read
    }
  }

  function stored(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage may be forbidden
    }
  }

  // Airflow (next-themes) writes the theme in use on its root element, and its language under i18next's key.
  function applyTheme() {
    const classes = airflow?.documentElement.classList;
    const isDark = classes?.contains("dark") || (!classes?.contains("light") && dark.matches);
    root.dataset.theme = isDark ? "dark" : "light";
  }

  function chosenLanguage() {
    const wishes = [stored(LANGUAGE), airflow && stored("i18nextLng"), ...navigator.languages];
    for (const wish of wishes) {
      const language = (wish ?? "").slice(0, 2).toLowerCase();
      if (language === "fr" || language === "en") return language;
    }
    return "en";
  }

  root.lang = chosenLanguage();
  applyTheme();
  dark.addEventListener("change", applyTheme);
  if (airflow) {
    root.dataset.framed = "";
    new MutationObserver(applyTheme).observe(airflow.documentElement, { attributes: true, attributeFilter: ["class"] });
  }
})();
