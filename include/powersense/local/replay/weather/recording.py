"""Load recorded weather: SYNOP files (whole months or extracts of some columns) and files of hourly climatology."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from sys import intern

import numpy as np
from numpy.typing import NDArray

from powersense.errors import ConfigurationError
from powersense.local.replay.table import Seconds
from powersense.local.replay.weather.columns import HOURLY_KEYS, QUANTITIES, SYNOP_MISSING
from powersense.local.replay.weather.stations import station_of_row, stations_by_omm
from powersense.stations import Station

_OPENERS = {".gz": gzip.open, ".xz": lzma.open}
_SYNOP_MARK = "numer_sta;date;"
_HOURLY_MARK = ";".join(HOURLY_KEYS)


@dataclass(frozen=True)
class Lines:
    """The rows of one kind of file as they were recorded, in time order.

    Attributes:
        columns: header of the file that each row is from, one entry a file.
        part: position in `columns` of each row.
        station: WMO number (SYNOP) or Météo-France number (hourly) of each row.
        instant_s: UTC instant of each row, epoch seconds.
        fields: each row's fields, as texts.
    """

    columns: tuple[tuple[str, ...], ...]
    part: Seconds
    station: NDArray[np.object_]
    instant_s: Seconds
    fields: NDArray[np.object_]

    def between(self, start_s: int, end_s: int) -> range:
        """Return the positions of the rows from `start_s` on and before `end_s`, recorded epoch seconds."""
        first, last = np.searchsorted(self.instant_s, [start_s, end_s])
        return range(int(first), int(last))


@dataclass(frozen=True)
class Series:
    """What one station measured, in time order.

    Attributes:
        instant_s: UTC instants, epoch seconds.
        values: one float64 array per quantity of `columns.QUANTITIES`, in SYNOP's units, NaN where missing.
    """

    instant_s: Seconds
    values: dict[str, NDArray[np.float64]]


def _open_text(path: Path) -> io.TextIOBase:
    opener = _OPENERS.get(path.suffix, open)
    return io.TextIOWrapper(opener(path, "rb"), encoding="utf-8-sig", newline="")  # type: ignore[operator]


def kind_of(path: Path) -> str | None:
    """Return `synop` or `hourly` for a file of recorded weather, None for any other."""
    if not path.is_file() or ".csv" not in path.suffixes:
        return None
    try:
        with _open_text(path) as stream:
            header = stream.readline()
    except UnicodeDecodeError:
        return None
    return "synop" if header.startswith(_SYNOP_MARK) else "hourly" if header.startswith(_HOURLY_MARK) else None


def _epoch(texts: Iterable[str], form: str, path: Path) -> Seconds:
    known: dict[str, int] = {}
    seconds = []
    for text in texts:
        if text not in known:
            try:
                known[text] = int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
            except ValueError as error:
                raise ConfigurationError(f"REPLAY_DATA holds {path.name} with the date {text!r}: {error}") from error
        seconds.append(known[text])
    return np.array(seconds, dtype=np.int64)


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _read(paths: Sequence[Path], *, date_column: str, form: str) -> Lines:
    columns: list[tuple[str, ...]] = []
    part: list[int] = []
    fields: list[tuple[str, ...]] = []
    instants = [np.empty(0, dtype=np.int64)]
    for number, path in enumerate(paths):
        with _open_text(path) as stream:
            reader = csv.reader(stream, delimiter=";")
            columns.append(tuple(next(reader)))
            # Stations and dates come back in every row: one copy of each is kept.
            rows = [(intern(row[0]), intern(row[1]), *row[2:]) for row in reader if row]
        place = columns[-1].index(date_column)
        instants.append(_epoch((row[place] for row in rows), form, path))
        part += [number] * len(rows)
        fields += rows
    instant_s = np.concatenate(instants)
    order = np.argsort(instant_s, kind="stable")
    station = _objects([row[0] for row in fields])
    numbers = np.array(part, dtype=np.int64)
    return Lines(tuple(columns), numbers[order], station[order], instant_s[order], _objects(fields)[order])


def number_or_nan(text: str) -> float:
    """Return a field's number, NaN for a missing one or a text.

    >>> number_or_nan("272.55"), number_or_nan("mq")
    (272.55, nan)
    """
    if not text or text == SYNOP_MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclass
class WeatherRecording:
    """A folder's recorded weather, read when first asked for; a folder without any is an empty recording."""

    folder: Path

    def __post_init__(self) -> None:
        self._lock = threading.RLock()

    @cached_property
    def paths(self) -> dict[str, list[Path]]:
        """The recorded files of each kind, by name."""
        found: dict[str, list[Path]] = {"synop": [], "hourly": []}
        for path in sorted(self.folder.iterdir()):
            kind = kind_of(path)
            if kind:
                found[kind].append(path)
        return found

    @cached_property
    def synop(self) -> Lines:
        """The rows of all SYNOP files."""
        with self._lock:
            return _read(self.paths["synop"], date_column="date", form="%Y%m%d%H%M%S")

    @cached_property
    def hourly(self) -> Lines:
        """The rows of all files of hourly climatology."""
        with self._lock:
            return _read(self.paths["hourly"], date_column="AAAAMMJJHH", form="%Y%m%d%H")

    @cached_property
    def stations(self) -> dict[str, Station]:
        """The recorded stations by Météo-France number; SYNOP stations that the catalogue lacks are left out."""
        known = stations_by_omm()
        found = [known[number] for number in set(self.synop.station.tolist()) if number in known]
        by_number = {station.station: station for station in found}
        for row in dict(zip(self.hourly.station.tolist(), self.hourly.fields.tolist(), strict=True)).values():
            by_number[row[0]] = station_of_row(dict(zip(HOURLY_KEYS, row, strict=False)))
        return dict(sorted(by_number.items()))

    @cached_property
    def measuring(self) -> dict[str, list[Station]]:
        """The stations that ever measured a quantity of `columns.QUANTITIES`, by its name."""
        return {
            quantity.name: [
                station
                for number, station in self.stations.items()
                if not np.isnan(self.series[number].values[quantity.name]).all()
            ]
            for quantity in QUANTITIES
        }

    @cached_property
    def series(self) -> dict[str, Series]:
        """What each station measured, by Météo-France number; an hourly row counts before a SYNOP one."""
        with self._lock:
            known = stations_by_omm()
            rows: dict[str, dict[int, tuple[float, ...]]] = {station: {} for station in self.stations}
            for station, instant, values in _values(self.synop, is_hourly=False):
                if station in known:
                    rows[known[station].station].setdefault(instant, values)
            for station, instant, values in _values(self.hourly, is_hourly=True):
                rows[station][instant] = values
            return {station: _series(found) for station, found in rows.items()}


def _values(lines: Lines, *, is_hourly: bool) -> Iterable[tuple[str, int, tuple[float, ...]]]:
    """Yield station, instant and the value of each quantity, in SYNOP's units."""
    places = [
        [columns.index(name) if name in columns else None for name in _names(is_hourly=is_hourly)]
        for columns in lines.columns
    ]
    rows = zip(
        lines.station.tolist(), lines.instant_s.tolist(), lines.part.tolist(), lines.fields.tolist(), strict=True
    )
    for station, instant, part, fields in rows:
        numbers = [math.nan if place is None else number_or_nan(fields[place]) for place in places[part]]
        if is_hourly:
            numbers = [quantity.from_hourly(number) for quantity, number in zip(QUANTITIES, numbers, strict=True)]
        yield station, instant, tuple(numbers)


def _names(*, is_hourly: bool) -> list[str]:
    return [quantity.hourly if is_hourly else quantity.name for quantity in QUANTITIES]


def _series(rows: dict[int, tuple[float, ...]]) -> Series:
    instants = sorted(rows)
    matrix = np.array([rows[instant] for instant in instants], dtype=np.float64).reshape(-1, len(QUANTITIES))
    values = {quantity.name: matrix[:, position] for position, quantity in enumerate(QUANTITIES)}
    return Series(np.array(instants, dtype=np.int64), values)


@lru_cache(maxsize=8)
def open_weather(folder: Path) -> WeatherRecording:
    """Return the recorded weather of a folder; servers in one process share it, and nothing changes it."""
    return WeatherRecording(folder)
