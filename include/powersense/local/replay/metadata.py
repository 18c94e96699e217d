"""A dataset's metadata, as the portal's catalogue describes it."""

from __future__ import annotations

from typing import Any

from powersense.local.replay.publication import Publication, is_realtime

_TITLES = {
    "eco2mix-national-tr": "Données éCO2mix nationales temps réel",
    "eco2mix-national-cons-def": "Données éCO2mix nationales consolidées et définitives",
    "eco2mix-regional-tr": "Données éCO2mix régionales temps réel",
    "eco2mix-regional-cons-def": "Données éCO2mix régionales consolidées et définitives",
}


def describe(publication: Publication, dataset: str) -> dict[str, Any]:
    """Return the metadata of one dataset: identity, fields, record count."""
    view = publication.view(dataset)
    now = publication.clock.now().isoformat(timespec="seconds")
    return {
        "visibility": "domain",
        "dataset_id": dataset,
        "dataset_uid": f"replay_{dataset.replace('-', '_')}",
        "has_records": True,
        "features": ["timeserie", "analyze"],
        "attachments": [],
        "metas": {
            "default": {
                "title": _TITLES[dataset],
                "publisher": "RTE",
                "license": "Licence Ouverte v2.0 (Etalab)",
                "language": "fr",
                "modified": now,
                "data_processed": now,
                "records_count": len(view),
                "update_frequency": "Temps réel" if is_realtime(dataset) else "Mensuel",
            }
        },
        "fields": [
            {"name": field.name, "label": field.label, "type": field.type, "annotations": {}, "description": None}
            for field in view.fields
        ],
    }
