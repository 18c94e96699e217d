"""Every figure for Prometheus: those of the Data API's service, and those of the stream's worker."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from docs_site.text import code, page, table

_FAMILY = re.compile(r"^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$", flags=re.MULTILINE)
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def metrics_page() -> str:
    """Return the page of metrics."""
    return page(
        "Metrics",
        "Scraped from `GET /powersense/api/v1/metrics` with a key that may read, and from the stream's worker at "
        "`STREAM_METRICS_PORT`. Dashboards, alert rules and Airflow's own metrics: "
        "[observability](../observability.md).",
        "## Warehouse",
        "Each scrape reads them anew. Where nothing is stored yet there is no sample.",
        table(("metric", "labels", "a sample says"), _warehouse()),
        "## File ingestions",
        "One sample an ingestion, label `ingestion`; `powersense_files_files` also has `state`.",
        table(("metric", "kind", "a sample says"), _families(_files())),
        "## Stream worker",
        "Counted since the worker started.",
        table(("metric", "kind", "a sample says"), _families(_stream())),
    )


def _warehouse() -> list[tuple[str, str, str]]:
    from powersense.api.monitoring.exposition import PREFIX
    from powersense.warehouse.metrics import QUERIES

    rows: dict[str, tuple[list[str], str]] = {}
    for families in QUERIES.values():
        for family in families:
            labels, _ = rows.setdefault(family.name, ([], family.about))
            labels += [label for label in (*family.labels, *(name for name, _ in family.fixed)) if label not in labels]
    own = [
        (code(f"{PREFIX}{name}"), ", ".join(code(label) for label in labels), about)
        for name, (labels, about) in rows.items()
    ]
    return [(code(f"{PREFIX}warehouse_up"), "", "Whether the warehouse answers; if not, 0 and no others."), *own]


def _files() -> str:
    from powersense.api.monitoring.exposition import Exposition
    from powersense.api.monitoring.metrics import add_file_figures

    written = Exposition()
    add_file_figures(written, [], now=_LONG_AGO)
    return written.text()


def _stream() -> str:
    from powersense.streaming.metrics import Metrics

    return Metrics(model_trained_at=_LONG_AGO).exposition(_LONG_AGO)


def _families(exposition: str) -> list[tuple[str, str, str]]:
    return [(code(name), kind, about) for name, about, kind in _FAMILY.findall(exposition)]
