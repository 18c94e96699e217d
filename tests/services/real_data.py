"""Ingestions that read real data in the layout of its publishers, wherever a folder of it lies."""

from __future__ import annotations

from pathlib import Path

from powersense.files.declaration import Ingestion

# name → pattern below the folder, format, source
_LOAD = {
    "rte_files": ("**/eCO2mix_RTE_*_*.xls.xz", "rte_xls", "rte_files"),
    "portal_exports": ("**/eco2mix-national-tr_*.csv.xz", "portal_csv", "national_realtime"),
    "portal_national": ("**/odre_*_eco2mix-national-tr_*.json", "portal_json", "national_realtime"),
    "portal_regional": ("**/odre_*_eco2mix-regional-tr_*.json", "portal_json", "regional_realtime"),
}
_WEATHER = {
    "hourly": ("**/H_*_extract_*.csv", "meteo_hourly", "hourly"),
    "workbooks": ("**/HOR_*.xlsx", "meteo_hourly", "hourly"),
    "synop_months": ("**/synop.*.csv.gz", "meteo_synop", "synop"),
    "synop_extracts": ("**/synop_t_*.csv.xz", "meteo_synop", "synop"),
    "climatology": ("**/api_DPClim_*.csv", "meteo_climatology", "climatology"),
    "observations": ("**/mf_DP*Obs_*.json*", "meteo_observations", "observations"),
}
# What measures nothing, or is no series of a publisher: tables of their own.
_TABLES = {
    "tempo_days": (
        "**/eCO2mix_RTE_tempo_*.xls",
        "tsv",
        {
            "mode": "upsert",
            "key": ["day"],
            "columns": [
                {"name": "day", "type": "Date", "source": "Date"},
                {"name": "colour", "type": "String", "source": "Type de jour TEMPO"},
            ],
        },
    ),
    "regional_temperatures": ("**/temperature-quotidienne-*.parquet", "parquet", {}),
}


def ingestions(folder: Path) -> list[Ingestion]:
    """Return an ingestion for each kind of real file, reading below `folder`."""
    ledgers = {"measurements": _LOAD, "weather_observations": _WEATHER}
    declared = [
        (name, pattern, file_format, {"kind": kind, "source": source})
        for kind, of_kind in ledgers.items()
        for name, (pattern, file_format, source) in of_kind.items()
    ]
    declared += [
        (name, pattern, file_format, {"kind": "table", "table": name, **target})
        for name, (pattern, file_format, target) in _TABLES.items()
    ]
    return [
        Ingestion.model_validate(
            {
                "name": name,
                "uri": f"file://{folder}/{pattern}",
                "format": file_format,
                "target": target,
                "schema_policy": "evolve",
            }
        )
        for name, pattern, file_format, target in declared
    ]
