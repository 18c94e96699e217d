"""Files of RTE and of the ODRÉ portal → pieces for `measurements`, by the parsers of the API path."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from powersense.autoloader.ledgers.content import base_name, contents, whole
from powersense.autoloader.ledgers.piece import Piece

if TYPE_CHECKING:
    from powersense.files.declaration import Ingestion
    from powersense.files.stored_file import StoredFile
    from powersense.sources.odre import Fetched
    from powersense.sources.source import Source


def load_pieces(
    spool: BinaryIO, file: StoredFile, ingestion: Ingestion, *, read_at: datetime, run_id: str
) -> Iterator[Piece]:
    """Yield a piece for each member of the file.

    Args:
        spool: the stored bytes.
        file: as listed.
        ingestion: its format, and its target's source of the catalogue.
        read_at: now, UTC; later values that are no forecasts are set aside.
        run_id: stamped on every row.

    Raises:
        SourceDeclarationError: the ingestion names a source that nobody declared.
        MalformedResponseError: the content is not what its format says.
        FileContentError: cut, damaged or beyond a limit.
    """
    from powersense.ingest.fetching import with_broken_lines
    from powersense.sources.catalogue import get_source
    from powersense.sources.normalise import normalise

    source = get_source(ingestion.target.source)  # type: ignore[union-attr]
    origin = base_name(file.path)
    for content in contents(spool, file, ingestion):
        fetched = _parsed(whole(content, file), ingestion.format, source, name=file.path, read_at=read_at)
        found = normalise(fetched.records, source, retrieved_at=read_at, run_id=run_id, origin=origin, drop_absent=True)
        yield Piece(
            rows=found.measurements,
            quarantined=with_broken_lines(found.quarantined, fetched, origin=origin, run_id=run_id),
            unsound=found.unsound,
            missing_metrics=found.missing_metrics,
        )


def _parsed(body: bytes, file_format: str, source: Source, *, name: str, read_at: datetime) -> Fetched:
    """Parse an unpacked content."""
    from powersense.sources.odre import Fetched, parse_saved
    from powersense.sources.rte_files import parse_portal_csv, parse_rte_file
    from powersense.sources.transport import Answer

    if file_format == "portal_json":
        return parse_saved(Answer(name, body, read_at), source)
    parse = parse_rte_file if file_format == "rte_xls" else parse_portal_csv
    wide = parse(body, name=name, source=source)
    return Fetched(wide.records, read_at, wide.broken_lines)
