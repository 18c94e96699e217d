"""Files of Météo-France → pieces for `weather_observations`, by the parsers of the API path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from powersense.autoloader.ledgers.content import base_name, contents, whole
from powersense.autoloader.ledgers.piece import Piece
from powersense.contracts import QuarantineReason

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from powersense.files.declaration import Ingestion
    from powersense.files.stored_file import StoredFile
    from powersense.sources.meteo.records import Answer
    from powersense.sources.meteo.source import MeteoSource

# Records read before they are normalised: some 200 MB at work. A month of SYNOP and a year of a station fit.
RECORDS_PER_PIECE = 200_000
# What the warehouse's DateTime can hold.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def weather_pieces(
    spool: BinaryIO, file: StoredFile, ingestion: Ingestion, *, read_at: datetime, run_id: str
) -> Iterator[Piece]:
    """Yield the file's content piece by piece; arguments and errors as `load_pieces`."""
    from powersense.sources.meteo.observations import parse_observations
    from powersense.sources.meteo.source import meteo_source
    from powersense.sources.transport import Answer as Saved

    source = meteo_source(ingestion.target.source)  # type: ignore[union-attr]
    origin = base_name(file.path)
    for content in contents(spool, file, ingestion):
        if ingestion.format == "meteo_observations":
            answers = iter(
                [replace(parse_observations(Saved(file.path, whole(content, file), read_at)), origin=origin)]
            )
        else:
            answers = _answers(content, source, name=file.path, read_at=read_at)
        for answer in answers:
            yield _piece(replace(answer, origin=origin), source, run_id=run_id)


def _piece(answer: Answer, source: MeteoSource, *, run_id: str) -> Piece:
    import pandas as pd

    from powersense.sources.meteo.records import normalise_weather

    found = normalise_weather(answer, source, start=EARLIEST, end=LATEST, run_id=run_id)
    rows = found.observations
    set_aside = [part for part in (found.quarantined, _too_early(answer, source, run_id=run_id)) if len(part)]
    return Piece(
        rows=rows[rows["value"].notna()].reset_index(drop=True),
        quarantined=pd.concat(set_aside, ignore_index=True) if set_aside else found.quarantined,
        unsound=found.unsound,
    )


def _too_early(answer: Answer, source: MeteoSource, *, run_id: str) -> pd.DataFrame:
    """Return one quarantine row for all records of an archive that lie before what the warehouse can hold."""
    from powersense.sources.set_aside import without_place
    from powersense.sources.values import as_text

    year = as_text(answer.records[source.instant_field]).str.slice(0, 4)
    count = int((year.str.fullmatch("[0-9]{4}") & (year < f"{EARLIEST:%Y}")).sum())
    text = f"{count} records before {EARLIEST:%Y-%m-%d}"
    return without_place(
        [(text, "the warehouse holds no earlier instant")] if count else [],
        reason=QuarantineReason.BAD_INSTANT,
        origin=answer.origin,
        run_id=run_id,
    )


def _answers(content: BinaryIO, source: MeteoSource, *, name: str, read_at: datetime) -> Iterator[Answer]:
    """Read a table in answers of some RECORDS_PER_PIECE records, cut where no two records of one key are parted."""
    import pyarrow as pa

    from powersense.sources.meteo.records import Answer
    from powersense.sources.meteo.tables import read_blocks

    broken: list[str] = []
    held: list[pa.Table] = []
    count = 0
    for block in read_blocks(content, source, name=name, broken=broken):
        held.append(block)
        count += block.num_rows
        if count >= RECORDS_PER_PIECE:
            table = pa.concat_tables(held)
            cut = _cut(table, source)
            yield Answer(table.slice(0, cut).to_pandas(), read_at, name, tuple(broken))
            broken.clear()
            held = [table.slice(cut)]
            count = held[0].num_rows
    yield Answer(pa.concat_tables(held).to_pandas(), read_at, name, tuple(broken))


def _cut(table: pa.Table, source: MeteoSource) -> int:
    """Return the first of the last records that share a station, or an instant, whichever is the longer run.

    Files are sorted by the one or by the other, and repeat a record beside itself.
    """
    starts = [_last_run(table[column].to_pandas()) for column in (source.station_field, source.instant_field)]
    return min(filter(None, starts), default=table.num_rows)


def _last_run(column: pd.Series) -> int:
    differs = (column != column.iloc[-1]).to_numpy(dtype=bool)
    return len(differs) - int(differs[::-1].argmax()) if differs.any() else 0
