"""The statements that write rows of a file, and what the server's refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from powersense.autoloader.tables.selection import MALFORMED, NEVER, Selection
from powersense.errors import StoreError, WarehouseError
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import StoredFile
from powersense.warehouse.files.targets import TargetNames, microseconds

# Refusals that say nothing about the file: no other way of reading it would help now.
_SERVER_CODES = frozenset(
    {
        60,  # UNKNOWN_TABLE
        81,  # UNKNOWN_DATABASE
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        999,  # KEEPER_EXCEPTION
    }
)
_TIMEOUT_CODE = 159


def insert_statement(names: TargetNames, selection: Selection, *, is_numbered: bool) -> str:
    """Return the INSERT of a selection's rows under one load; a malformed record stops it.

    Its parameters are the selection's and `constants`.
    """
    row = (["_row"], ["record_number"]) if is_numbered else ([], [])
    columns = [*selection.columns, *row[0], "_file_id", "_load_id", "_modified_at"]
    values = [
        *selection.values,
        *row[1],
        "sipHash64({ps_ingestion:String}, {ps_path:String})",
        "{ps_load:UInt64}",
        "fromUnixTimestamp64Micro({ps_modified:Int64}, 'UTC')",
    ]
    malformed = [condition for condition in selection.malformed if condition != NEVER]
    where = f" WHERE NOT throwIf({' OR '.join(malformed)}, '{MALFORMED}')" if malformed else ""
    return f"INSERT INTO {names.loads} ({', '.join(columns)}) SELECT {', '.join(values)} FROM ({selection.rows}){where}"  # noqa: S608 - names are checked, values parameters


def constants(ingestion: Ingestion, file: StoredFile, *, load_id: int) -> dict[str, Any]:
    """Return the parameters that are the same for all rows of a load."""
    return {
        "ps_ingestion": ingestion.name,
        "ps_path": file.path,
        "ps_load": load_id,
        "ps_modified": microseconds(file.modified_at),
    }


def reading_settings(ingestion: Ingestion, *, deadline: datetime, is_numbered: bool = False) -> dict[str, Any]:
    """Return the settings under which the engine reads a file's text: strictly, and within the batch's time."""
    options = ingestion.csv
    settings: dict[str, Any] = {
        "max_execution_time": max(1, int(seconds_left(deadline))),
        "insert_null_as_default": 0,
        "input_format_null_as_default": 0,
        "input_format_skip_unknown_fields": 0,
        "input_format_defaults_for_omitted_fields": 0,
    }
    if ingestion.format in ("csv", "tsv"):
        settings |= {
            "format_csv_delimiter": "\t" if ingestion.format == "tsv" else options.delimiter,
            "format_csv_null_representation": "",
            "input_format_csv_empty_as_default": 0,
            "input_format_csv_trim_whitespaces": 0,
            "input_format_csv_allow_whitespace_or_tab_as_delimiter": 1,
            "input_format_csv_skip_trailing_empty_lines": 1,
            "input_format_csv_skip_first_lines": 1 if options.has_header else 0,
        }
    if ingestion.format in ("json", "json_each_row"):
        kinds = ("numbers", "bools", "objects", "arrays")
        settings |= {f"input_format_json_read_{kind}_as_strings": 1 for kind in kinds}
    if is_numbered:
        # Read in parallel, the engine numbers records by piece.
        settings["input_format_parallel_parsing"] = 0
    return settings


def seconds_left(deadline: datetime) -> float:
    """Return the time left of a batch.

    Raises:
        StoreError: none is.
    """
    left = (deadline - datetime.now(tz=UTC)).total_seconds()
    if left <= 0:
        raise StoreError("time-out: the batch's time was up before the file was loaded; raise `timeout_minutes`")
    return left


def is_about_server(code: int | None) -> bool:
    """Tell whether a refusal is about the server, whatever the file holds."""
    return code is None or code in _SERVER_CODES


def as_warehouse_error(error: Exception, code: int | None, *, path: str) -> WarehouseError:
    """Return a refusal of the server as an error of this project."""
    if code == _TIMEOUT_CODE:
        return WarehouseError(f"{path}: time-out, the batch's time was up while it was read; raise `timeout_minutes`")
    return WarehouseError(f"{path}: ClickHouse answers: {error}")
