"""Every alert rule, with its runbook entry."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from docs_site.text import code, first_line, page, table


def rules_page(root: Path) -> str:
    """Return the page of alert rules."""
    from powersense.quality.rules import ALL_RULES
    from powersense.quality.rules.titles import RULE_TITLES

    runbook = (root / "docs" / "runbook.md").read_text()
    rows = [
        (f"[{code(rule)}](../runbook.md#{rule})", RULE_TITLES.get(rule, ""), _means(rule, runbook))
        for rule in ALL_RULES
    ]
    return page(
        "Alert rules",
        "`check_data_quality` evaluates them every 15 minutes on what the warehouse holds; `late_run` and "
        "`failed_task` are raised by Airflow's deadlines and callbacks. Each links to what to do. Limits are "
        "`QUALITY_*` of the [settings](settings.md). Rules of Prometheus: [observability](../observability.md).",
        table(("rule", "title", "means"), rows),
    )


def _means(rule: str, runbook: str) -> str:
    """Return what the runbook says first of a rule, else what its module says."""
    entry = re.search(rf"^## {rule}\n+\*\*Means\.\*\* (.+?)\n\n", runbook, flags=re.MULTILINE | re.DOTALL)
    if entry:
        return entry[1].replace("\n", " ")
    return first_line(importlib.import_module(f"powersense.quality.rules.{rule}").__doc__)
