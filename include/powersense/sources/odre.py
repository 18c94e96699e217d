"""Opendatasoft Explore API v2.1 (the ODRÉ portal): records of a dataset over a range of time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pandas as pd

from powersense.errors import MalformedResponseError, SourceDeclarationError, TruncatedExportError
from powersense.sources.columns import canonical_names
from powersense.sources.rte_files import parse_portal_csv
from powersense.sources.source import Source
from powersense.sources.transport import Answer, Portal

BASE = "api/explore/v2.1/catalog/datasets"
INTERRUPTED = b"Streaming interrupted due to"
# Parsing JSON takes ten times the memory of CSV; above some days that counts.
LONGEST_JSON_WINDOW = timedelta(days=4)


@dataclass(frozen=True)
class Fetched:
    """What upstream gave for one question.

    Attributes:
        records: wide records, canonical column names.
        retrieved_at: when the answer began, UTC.
        broken_lines: CSV lines with a wrong number of fields.
    """

    records: pd.DataFrame
    retrieved_at: datetime
    broken_lines: tuple[str, ...] = ()


def fetch_records(portal: Portal, source: Source, *, start: datetime, end: datetime) -> Fetched:
    """Return the records of [start, end), and of the source's lookahead after `end`.

    An export that was cut cleanly is told by its reach: records come in time order, so an answer that reaches `end` is
    whole up to there. One that does not (an outage upstream, or history) is compared with the portal's own count.

    Raises:
        TruncatedExportError: fewer records than the portal counts, or a body that ends early, after all attempts.
        SourceError: see transport.Portal.ask.
    """
    where = where_between(source, start=start, end=end + timedelta(hours=source.lookahead_hours))
    kind: Literal["json", "csv"] = "json" if end - start <= LONGEST_JSON_WINDOW else "csv"
    params = {"where": where, "order_by": str(source.instant_field), "timezone": "UTC"}
    if kind == "csv":
        params["delimiter"] = ";"

    def parse(answer: Answer) -> Fetched:
        fetched = parse_export(answer, source, kind=kind)
        if not _reaches(fetched.records, source, end):
            counted = count_records(portal, source, where)
            given = len(fetched.records) + len(fetched.broken_lines)
            if given < counted:
                raise TruncatedExportError(f"{answer.url}: {given} records of {counted}; the export was cut")
        return fetched

    return portal.ask(f"{BASE}/{source.dataset}/exports/{kind}", params, parse)


def where_between(source: Source, *, start: datetime, end: datetime) -> str:
    """Return the ODSQL condition for instants in [start, end).

    Raises:
        SourceDeclarationError: the source has no instant to ask by.
    """
    if source.instant_field is None:
        raise SourceDeclarationError(f"source {source.id!r} has no instant_field, so no range can be asked for")
    low, high = (instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for instant in (start, end))
    return f"{source.instant_field} >= date'{low}' AND {source.instant_field} < date'{high}'"


def count_records(portal: Portal, source: Source, where: str) -> int:
    """Return the portal's own count of the records that a condition selects."""

    def parse(answer: Answer) -> int:
        document = _json(answer)
        count = document.get("total_count") if isinstance(document, dict) else None
        if not isinstance(count, int):
            raise MalformedResponseError(f"{answer.url}: no total_count in {answer.body[:200]!r}")
        return count

    return portal.ask(f"{BASE}/{source.dataset}/records", {"where": where, "limit": 0, "timezone": "UTC"}, parse)


def parse_export(answer: Answer, source: Source, *, kind: Literal["json", "csv"]) -> Fetched:
    """Parse an export's body.

    Raises:
        TruncatedExportError: it ends early, or the portal says in it that it broke off.
        MalformedResponseError: it is no list of records.
    """
    if kind == "csv":
        wide = parse_portal_csv(answer.body, name=answer.url, source=source)
        return Fetched(wide.records, answer.retrieved_at, wide.broken_lines)
    records = _json(answer)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise MalformedResponseError(f"{answer.url}: {answer.body[:200]!r} is no list of records")
    return Fetched(_frame(records, source), answer.retrieved_at)


def parse_saved(answer: Answer, source: Source) -> Fetched:
    """Parse a JSON answer that somebody kept: an export, a page of records of API v2.1, or one of v1.

    Items that are no records come back as broken lines.

    Raises:
        TruncatedExportError: it ends early, or the portal says in it that it broke off.
        MalformedResponseError: it holds no list of records.
    """
    document = _json(answer)
    items = document
    if isinstance(document, dict):
        items = document.get("results", document.get("records"))
    if not isinstance(items, list):
        raise MalformedResponseError(f"{answer.url}: {answer.body[:200]!r} holds no list of records")
    # The first API wraps each record's fields, and leaves absent ones out.
    items = [item.get("fields", item) if isinstance(item, dict) else item for item in items]
    records = [item for item in items if isinstance(item, dict)]
    broken = tuple(json.dumps(item, ensure_ascii=False) for item in items if not isinstance(item, dict))
    return Fetched(_frame(records, source), answer.retrieved_at, broken)


def _frame(records: list[dict[str, Any]], source: Source) -> pd.DataFrame:
    frame = pd.DataFrame.from_records(records)
    frame.columns = pd.Index(canonical_names(frame.columns, source.column_aliases), dtype="str")
    return frame


def _json(answer: Answer) -> Any:
    """Parse a JSON body.

    Raises:
        TruncatedExportError: the body breaks off.
        MalformedResponseError: the body is something else.
    """
    body = answer.body.removeprefix(b"\xef\xbb\xbf").strip()
    if INTERRUPTED in body[-2000:]:
        raise TruncatedExportError(f"{answer.url}: {body[body.rfind(INTERRUPTED) :][:300].decode('utf-8', 'replace')}")
    try:
        text = body.decode("utf-8")
        return json.loads(text)
    except json.JSONDecodeError as error:
        ends_inside = error.msg.startswith("Unterminated string") or error.pos >= len(text) - 1
        if text[:1] in ("[", "{") and ends_inside:
            raise TruncatedExportError(f"{answer.url}: JSON ends early at {body[-60:]!r}") from error
        raise MalformedResponseError(
            f"{answer.url}: {error}, in a body like {text[:80]!r}. If it is HTML, a proxy or a login page answers."
        ) from error
    except UnicodeDecodeError as error:
        raise MalformedResponseError(f"{answer.url}: the body is not UTF-8: {error}") from error


def _reaches(records: pd.DataFrame, source: Source, end: datetime) -> bool:
    """Tell whether the last record, in time order, lies at or after `end`."""
    if source.instant_field not in records.columns or records.empty or not source.lookahead_hours:
        return False
    last = pd.to_datetime(str(records[source.instant_field].iloc[-1]), errors="coerce", utc=True)
    return bool(last >= pd.Timestamp(end))
