// The views of operations; each is fetched when somebody first asks for it, so that none delays the first paint.

import { Problem } from "../api.js";
import { t } from "../texts.js";

const MODULES = {
  episodes: () => import("./episodes/episodes.js"),
  alerts: () => import("./alerts/alerts.js"),
  quality: () => import("./quality/quality.js"),
  scorecard: () => import("./scorecard.js"),
};

export const operations = Object.entries(MODULES).map(([id, load]) => ({
  id,
  title: () => t(id),
  find: (parts) => async (page) => {
    const show = (await load())[id].find(parts);
    page.signal.throwIfAborted();
    if (!show) throw new Problem(404, t("not found"));
    await show(page);
  },
}));
