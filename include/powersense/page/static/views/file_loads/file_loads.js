// The view "File loads": its addresses.

import { t } from "../../texts.js";
import { VIEW } from "./address.js";
import { showDeclaration } from "./declaration.js";
import { showIngestion } from "./ingestion.js";
import { showIngestions } from "./ingestions.js";
import { showRun } from "./run.js";

const SECTIONS = ["runs", "files", "declaration"];

export const fileLoads = {
  id: VIEW,
  title: () => t("file loads"),
  find(parts) {
    const [name, section = "runs", id] = parts;
    if (name === undefined) return showIngestions;
    if (name === "+") return (page) => showDeclaration(page, null);
    if (section === "runs" && id !== undefined) return (page) => showRun(page, name, id);
    if (section === "edit") return (page) => showDeclaration(page, name);
    if (SECTIONS.includes(section) && id === undefined) return (page) => showIngestion(page, name, section);
    return null;
  },
};
