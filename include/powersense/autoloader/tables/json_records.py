"""JSON arrays and lines as chunks of text. Pure."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from powersense.autoloader.tables.heads import HEAD_BYTES, refuse_markup
from powersense.autoloader.tables.layout import MAX_COLUMNS, Found
from powersense.autoloader.tables.records import CHUNK_BYTES, CHUNK_ROWS, Broken, Chunk
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion

_READ_BYTES = 1 << 20
_LONGEST_RECORD = CHUNK_BYTES
_LONGEST_TEXT = 10_000
_SPACE = " \t\r\n"

Record = dict[str, Any]


class _Number(str):
    """A number as it is written: as a float it would lose digits."""


# `parse_constant`: NaN and Infinity, which JSON does not know but Python writes.
_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def read_json(content: BinaryIO, ingestion: Ingestion, *, path: str) -> Iterator[Chunk]:
    """Yield the records of a JSON file: one array of objects, or objects one a line.

    Args:
        content: unpacked.
        ingestion: its format says which of the two.
        path: of the file.

    Raises:
        FileContentError: it is no JSON of that kind.
    """
    records, numbers, broken, size = [], [], [], 0
    lines = ingestion.format == "json_each_row"
    items = _lines(content, path=path) if lines else _array(content, path=path)
    for number, (text, record) in enumerate(items, start=1):
        if isinstance(record, dict):
            records.append(record)
            numbers.append(number)
        else:
            broken.append(Broken(number, text[:_LONGEST_TEXT], "it is no JSON object"))
        size += len(text)
        if len(records) + len(broken) >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield _chunk(records, numbers, broken, path=path)
            records, numbers, broken, size = [], [], [], 0
    yield _chunk(records, numbers, broken, path=path)


def _chunk(records: list[Record], numbers: list[int], broken: list[Broken], *, path: str) -> Chunk:
    import pyarrow as pa

    names = list(dict.fromkeys(key for record in records for key in record))
    if len(names) > MAX_COLUMNS:
        raise FileContentError(f"{path}: its records have more than {MAX_COLUMNS} different keys; they are no columns")
    columns = {
        f"c{position}": pa.array([_text(record.get(name)) for record in records], pa.binary())
        for position, name in enumerate(names)
    }
    table = pa.table(columns) if columns else pa.table({"c0": pa.array([None] * len(records), pa.binary())})
    found = tuple(Found(name) for name in names) or (Found("_nothing"),)
    return Chunk(found, table, pa.array(numbers, pa.uint64()), tuple(broken))


def _text(value: Any) -> bytes | None:
    """Return a value as the engine gives it when it reads JSON as text."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return _json(value).encode("utf-8", "surrogatepass")


def _json(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _lines(content: BinaryIO, *, path: str) -> Iterator[tuple[str, Any]]:
    first = True
    while line := content.readline(_LONGEST_RECORD + 1):
        if len(line) > _LONGEST_RECORD:
            raise FileContentError(f"{path}: a line is longer than {_LONGEST_RECORD:,} bytes; write one record a line")
        if first:
            refuse_markup(line[:HEAD_BYTES], path=path)
            line, first = line.removeprefix(codecs.BOM_UTF8), False
        if line.strip():
            text = line.decode("utf-8", "surrogateescape").strip()
            yield text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), _decoded(text)


def _decoded(text: str) -> Any:
    try:
        # A letter that is no UTF-8 would reach the table as another.
        text.encode("utf-8")
        return _DECODER.decode(text)
    except ValueError:
        return None


def _array(content: BinaryIO, *, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the elements of one array, or the one object, with only the piece in hand in memory."""
    pieces = _Pieces(content, path)
    if not pieces.skip(_SPACE):
        raise FileContentError(f"{path}: it is empty; deliver it again")
    refuse_markup(pieces.text[:200].encode("utf-8", "replace"), path=path)
    if pieces.text[pieces.at] != "[":
        yield pieces.element()
        if pieces.skip(_SPACE):
            raise pieces.wrong("one array or one object was expected; declare the format as json_each_row")
        return
    pieces.at += 1
    is_first = True
    while pieces.skip(_SPACE):
        if pieces.text[pieces.at] == "]":
            pieces.at += 1
            if pieces.skip(_SPACE):
                raise pieces.wrong("something stands behind the end of its array")
            return
        if not is_first:
            if pieces.text[pieces.at] != ",":
                raise pieces.wrong("a comma was expected")
            pieces.at += 1
            pieces.skip(_SPACE)
        is_first = False
        yield pieces.element()
    raise pieces.wrong("its array is never closed: the file is cut")


class _Pieces:
    """A text read piece by piece."""

    def __init__(self, content: BinaryIO, path: str) -> None:
        self._content = content
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._count = 0
        self._is_at_end = False
        self.text = ""
        self.at = 0

    def skip(self, letters: str) -> bool:
        """Go on behind blanks; tell whether anything is left."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in letters:
                self.at += 1
            if self.at < len(self.text):
                return True
            if not self._more():
                return False

    def element(self) -> tuple[str, Any]:
        """Take one JSON value."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
                # A number at the end of a piece may go on in the next.
                if end < len(self.text) or not self._more():
                    text = self.text[self.at : min(end, self.at + _LONGEST_TEXT)]
                    self.at = end
                    self._count += 1
                    return text, value
            except json.JSONDecodeError as error:
                if len(self.text) - self.at > _LONGEST_RECORD or not self._more():
                    raise self.wrong(error.msg) from error

    def wrong(self, why: str) -> FileContentError:
        text = self.text[self.at : self.at + 200]
        return FileContentError(
            f"{self._path}: after record {self._count} it is no JSON ({why}); deliver it again",
            first_bad_line=f"record {self._count + 1}: {text}",
        )

    def _more(self) -> bool:
        if self._is_at_end:
            return False
        chunk = self._content.read(_READ_BYTES)
        try:
            text = self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise FileContentError(f"{self._path}: it is not UTF-8 after record {self._count} ({error})") from error
        self.text, self.at = self.text[self.at :] + text, 0
        self._is_at_end = not chunk
        return bool(chunk)
