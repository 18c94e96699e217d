"""A year of history, from RTE's files where HISTORY_DATA_URL leads to them, else from the portal's export."""

from __future__ import annotations

import logging
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from powersense.contracts import NATIONAL_AREA
from powersense.errors import ConfigurationError, SourceRequestError
from powersense.ingest.fetching import land_answer, recorded
from powersense.ingest.jobs import Job, batch_id_of
from powersense.ingest.storing import Stored, store_all

if TYPE_CHECKING:
    from powersense.sources.odre import Fetched
    from powersense.sources.source import Source
    from powersense.sources.transport import Portal

logger = logging.getLogger(__name__)

# What RTE's file names call a region, where folding the portal's name is not enough.
_FILE_AREAS = {"Provence-Alpes-Côte d'Azur": "PACA"}


def load_history(job: Job, *, run_id: str, dag_id: str) -> Stored:
    """Fetch and store one piece of history.

    Absent values are left out: nothing is stored yet that they could withdraw.

    Raises:
        SourceError: upstream failed; the run record carries the message.
        WarehouseError: ClickHouse failed.
    """
    from powersense.sources.catalogue import get_source
    from powersense.warehouse.client import connect

    source = get_source(job["source_id"])
    batch_id = batch_id_of(job, run_id)
    with connect("writer") as client, recorded(client, job, dataset=source.dataset, run_id=run_id, dag_id=dag_id):
        fetched, source, origin = _read(job, source)
        batch = land_answer(client, fetched, source, batch_id=batch_id, run_id=run_id, origin=origin, drop_absent=True)
        return store_all(client, [batch])


def urls_for(source: Source, year: int, template: str | None) -> list[str]:
    """Return the files that hold a year of a history source; none where HISTORY_DATA_URL does not speak of it.

    Args:
        source: a source of role `history`.
        year: Paris-local year.
        template: one or several URLs, separated by blanks, with `{year}`; one with `{area}` stands for regional files
            (named as RTE does: `Ile-de-France`, `PACA`), one without for France.

    Raises:
        ConfigurationError: a template has no `{year}`, or an unknown placeholder.
    """
    is_national = source.areas == (NATIONAL_AREA,)
    urls: list[str] = []
    for pattern in (template or "").split():
        if "{year}" not in pattern:
            raise ConfigurationError(f"HISTORY_DATA_URL={pattern!r} has no {{year}}; write …_{{year}}.zip")
        if ("{area}" in pattern) == is_national:
            continue
        try:
            urls += [pattern.format(year=year, area=file_area(area)) for area in source.areas]
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigurationError(
                f"HISTORY_DATA_URL={pattern!r}: only {{year}} and {{area}} are known placeholders"
            ) from error
    return urls


def file_area(area: str) -> str:
    """Return an area as RTE's file names spell it.

    >>> file_area("Île-de-France")
    'Ile-de-France'
    """
    plain = unicodedata.normalize("NFKD", area).encode("ascii", "ignore").decode()
    return _FILE_AREAS.get(area, plain.replace(" ", "-"))


def _read(job: Job, source: Source) -> tuple[Fetched, Source, str]:
    """Return a job's records, the source that describes them, and their origin."""
    from powersense.sources.catalogue import sources_of
    from powersense.sources.odre import fetch_records
    from powersense.sources.transport import open_portal

    urls = job.get("urls", [])
    if urls:
        try:
            files = sources_of("files")[0]
            return read_files(urls, files), files, _origin(urls, files)
        except (SourceRequestError, FileNotFoundError) as error:
            logger.warning("No file for %s (%s); asking the portal instead", job["job_id"], error)
    start, end = datetime.fromisoformat(job["start"]), datetime.fromisoformat(job["end"])
    with open_portal() as portal:
        return fetch_records(portal, source, start=start, end=end), source, source.dataset


def read_files(urls: list[str], source: Source) -> Fetched:
    """Read RTE files as one table.

    Args:
        urls: http(s) or file URLs of `.xls` text, plain, zipped, xz or gz.
        source: the declaration of RTE files.

    Raises:
        SourceError: a file is not there, or is no RTE file.
        FileNotFoundError: a local file is not there.
    """
    import pandas as pd

    from powersense.sources.odre import Fetched
    from powersense.sources.rte_files import parse_rte_file, unpack
    from powersense.sources.transport import open_files

    tables = []
    with open_files() as server:
        for url in urls:
            name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
            for member, content in unpack(_content(server, url), name=name):
                tables.append(parse_rte_file(content, name=member, source=source))
    return Fetched(
        records=pd.concat([table.records for table in tables], ignore_index=True)
        if len(tables) > 1
        else tables[0].records,
        retrieved_at=datetime.now(UTC),
        broken_lines=tuple(line for table in tables for line in table.broken_lines),
    )


def _content(server: Portal, url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path)).read_bytes()
    return server.ask(url, {}, lambda answer: answer.body)


def _origin(urls: list[str], files: Source) -> str:
    return unquote(urlsplit(urls[0]).path).rsplit("/", 1)[-1] if len(urls) == 1 else files.dataset
