"""RTE's downloadable history: the recorded `.xls` texts, plain, in a zip as RTE serves them, or xz."""

from __future__ import annotations

import io
import lzma
import zipfile
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from powersense.local.replay.publication import Publication, is_realtime
from powersense.local.replay.recording import RTE_ENCODING, read_bytes

_DATE_COLUMN = 2


def file_names(publication: Publication) -> dict[str, Path]:
    """Return every name under `/files/` and the recording behind it."""
    names: dict[str, Path] = {}
    for dataset, paths in publication.recording.paths.items():
        for path in paths:
            stem = path.name.removesuffix(".xz").removesuffix(".xls")
            if ".xls" in path.name and not is_realtime(dataset):
                names |= {f"{stem}.zip": path, f"{stem}.xls": path, f"{stem}.xls.xz": path}
    return dict(sorted(names.items()))


def file_content(publication: Publication, name: str) -> bytes | None:
    """Return a file as it is public at the clock, its dates shifted as everything else; None if there is none yet.

    A file whose rows are all public and unshifted keeps its original bytes.
    """
    path = file_names(publication).get(name)
    if path is None:
        return None
    return _content(path, name.rsplit(".", 1)[-1], publication.published_before(), publication.shift_days)


@lru_cache(maxsize=16)
def _content(path: Path, form: str, published_before: datetime, shift_days: int) -> bytes | None:
    text = _public_text(read_bytes(path), published_before.date(), timedelta(days=shift_days))
    if text is None:
        return None
    if form == "xz":
        return lzma.compress(text, preset=1)
    if form == "xls":
        return text
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        # A fixed time stamp: the same file has the same bytes in every run.
        packed.writestr(zipfile.ZipInfo(path.name.removesuffix(".xz")), text, zipfile.ZIP_DEFLATED, compresslevel=1)
    return archive.getvalue()


def _public_text(content: bytes, published_before: date, shift: timedelta) -> bytes | None:
    """Return the text with its dates moved, without rows of recorded days that are not public yet."""
    lines = content.decode(RTE_ENCODING).split("\n")
    moved: dict[str, str | None] = {}
    shown = [lines[0]]
    has_rows = False
    for line in lines[1:]:
        fields = line.split("\t", _DATE_COLUMN + 1)
        if len(fields) <= _DATE_COLUMN:
            shown.append(line)
            continue
        day = fields[_DATE_COLUMN]
        if day not in moved:
            recorded = date.fromisoformat(day)
            moved[day] = (recorded + shift).isoformat() if recorded < published_before else None
        if (fields_day := moved[day]) is not None:
            has_rows = True
            fields[_DATE_COLUMN] = fields_day
            shown.append("\t".join(fields))
    return "\n".join(shown).encode(RTE_ENCODING) if has_rows else None
