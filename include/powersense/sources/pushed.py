"""Measurements that people push: what may be stored, and what is set aside for which fault. Pure."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import pandas as pd

from powersense.contracts import AREA_BY_FOLDED_NAME, AREAS, LANDING_COLUMNS, QuarantineReason, Vintage, fold
from powersense.sources.normalise import FUTURE_TOLERANCE
from powersense.sources.set_aside import quarantine_rows
from powersense.sources.source import Source

FIELDS = ("area", "metric", "observed_at", "value", "vintage")
# Detectors write their scores as metrics of this form.
_SCORES = "*_zscore"
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,99}")
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_VINTAGES = [vintage.value for vintage in Vintage]
_SHOWN = 200

Series = tuple[str, str]


@dataclass(frozen=True)
class Point:
    """A record that may be stored; `value` is NaN where it was withdrawn."""

    index: int
    metric: str
    area: str
    observed_at: datetime
    vintage: str
    value: float

    @property
    def key(self) -> tuple[str, str, datetime, str]:
        """What makes two records the same measurement."""
        return (self.metric, self.area, self.observed_at, self.vintage)


@dataclass(frozen=True)
class Fault:
    """Why a record is set aside: its place in the request, the field, and what to do."""

    index: int
    field: str
    value: Any
    remedy: str
    reason: QuarantineReason
    area: str = ""
    observed_at: datetime | None = None


class _FaultyError(Exception):
    def __init__(self, field: str, value: Any, remedy: str, reason: QuarantineReason) -> None:
        super().__init__(remedy)
        self.field, self.value, self.remedy, self.reason = field, value, remedy, reason


def reserved_metrics(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return patterns of metrics that declared sources publish, or detectors write: nobody may push those."""
    patterns = {_SCORES}
    for source in sources:
        patterns |= {*source.expected_metrics, *source.forecast_metrics, *source.valid_ranges} - {"*"}
    return tuple(sorted(patterns))


def read_points(records: Sequence[Any], *, now: datetime, reserved: Sequence[str]) -> tuple[list[Point], list[Fault]]:
    """Tell records that can be stored from those that break the contract; of each the first fault counts.

    Args:
        records: as parsed from JSON.
        now: no measurement is later than this, UTC.
        reserved: patterns of metrics that are not for pushing.

    Returns:
        Points and faults in the order of the records; each record is in exactly one of the two.
    """
    taken = lru_cache(maxsize=1024)(lambda metric: any(fnmatchcase(metric, pattern) for pattern in reserved))
    points: list[Point] = []
    faults: list[Fault] = []
    for index, record in enumerate(records):
        known: dict[str, Any] = {}
        try:
            _read(record, known, now=now, taken=taken)
        except _FaultyError as error:
            field = f"measurements[{index}]" + (f".{error.field}" if error.field else "")
            place = {name: known[name] for name in ("area", "observed_at") if name in known}
            faults.append(Fault(index, field, _shown(error.value), error.remedy, error.reason, **place))
        else:
            points.append(Point(index, **known))
    return points, faults


def settle(points: Sequence[Point], *, owners: Mapping[Series, str]) -> tuple[list[Point], list[Fault]]:
    """Leave out points of other publishers' series, and all points that contradict each other.

    Args:
        points: of `read_points`.
        owners: by (metric, area), for series that another publisher has.

    Returns:
        Points with distinct keys (of equal ones the first), and the faults of those left out.
    """
    by_key: dict[tuple[str, str, datetime, str], list[Point]] = defaultdict(list)
    faults: list[Fault] = []
    for point in points:
        owner = owners.get((point.metric, point.area))
        if owner is None:
            by_key[point.key].append(point)
            continue
        remedy = f"{owner} publishes this series; push under a metric of your own"
        faults.append(_fault(point, "metric", point.metric, remedy, QuarantineReason.FOREIGN_SERIES))
    kept: list[Point] = []
    for same in by_key.values():
        if len({repr(point.value) for point in same}) == 1:
            kept.append(same[0])
            continue
        remedy = "the request gives this measurement several values; give it one"
        faults += [
            _fault(point, "value", point.value, remedy, QuarantineReason.CONTRADICTING_DUPLICATE) for point in same
        ]
    return kept, sorted(faults, key=lambda fault: fault.index)


def landing_rows(
    points: Sequence[Point], *, publisher: str, source: str, retrieved_at: datetime, run_id: str
) -> pd.DataFrame:
    """Return points as a landing frame: contracts.LANDING_COLUMNS, instants in UTC, `value` NaN where withdrawn."""
    frame = pd.DataFrame(
        {
            "metric": [point.metric for point in points],
            "area": [point.area for point in points],
            "observed_at": pd.Series([point.observed_at for point in points], dtype="datetime64[s, UTC]"),
            "vintage": [point.vintage for point in points],
            "value": pd.Series([point.value for point in points], dtype="float64"),
        }
    )
    frame["retrieved_at"] = pd.Timestamp(retrieved_at).tz_convert("UTC").as_unit("ms")
    stamps = {"publisher": publisher, "source": source, "run_id": run_id}
    return frame.assign(**stamps)[list(LANDING_COLUMNS)]


def set_aside(faults: Sequence[Fault], records: Sequence[Any], *, origin: str, run_id: str) -> pd.DataFrame:
    """Return quarantine rows of faulty records, each with the record as it was sent."""
    return quarantine_rows(
        area=[fault.area for fault in faults],
        observed_at=pd.Series([fault.observed_at for fault in faults], dtype="datetime64[s, UTC]"),
        reasons=[fault.reason for fault in faults],
        details=[f"{fault.field.rpartition('.')[2]}: {fault.remedy}" for fault in faults],
        texts=[json.dumps(records[fault.index], sort_keys=True, ensure_ascii=False) for fault in faults],
        origin=origin,
        run_id=run_id,
    )


def _read(record: Any, known: dict[str, Any], *, now: datetime, taken: Any) -> None:
    """Read a record's fields into `known`, as far as they are sound.

    Raises:
        _FaultyError: at the first that is not.
    """
    if not isinstance(record, dict):
        remedy = f"give an object with {', '.join(FIELDS[:-1])}"
        raise _FaultyError("", record, remedy, QuarantineReason.MALFORMED_RECORD)
    for name in record:
        if name not in FIELDS:
            remedy = f"there is no such field; the fields are {', '.join(FIELDS)}"
            raise _FaultyError(str(name)[:_SHOWN], record[name], remedy, QuarantineReason.MALFORMED_RECORD)
    for name in FIELDS[:-1]:
        if name not in record:
            raise _FaultyError(name, None, "it is missing; give it", QuarantineReason.MISSING_KEY)
    known["area"] = _area(record["area"])
    known["observed_at"] = _instant(record["observed_at"])
    known["metric"] = _metric(record["metric"], taken)
    known["vintage"] = _vintage(record.get("vintage", Vintage.REALTIME.value))
    known["value"] = _value(record["value"])
    if known["observed_at"] > now + FUTURE_TOLERANCE:
        remedy = f"it lies in the future (now is {now:%Y-%m-%dT%H:%M:%SZ}); push what was measured"
        raise _FaultyError("observed_at", record["observed_at"], remedy, QuarantineReason.FUTURE_VALUE)


def _area(name: Any) -> str:
    found = _area_of(name[:_SHOWN]) if isinstance(name, str) else None
    if found is None:
        remedy = f"there is no such area; there are {', '.join(area.name for area in AREAS)}"
        raise _FaultyError("area", name, remedy, QuarantineReason.UNKNOWN_AREA)
    return found


@lru_cache(maxsize=256)
def _area_of(name: str) -> str | None:
    return AREA_BY_FOLDED_NAME.get(fold(name))


def _instant(text: Any) -> datetime:
    try:
        given = datetime.fromisoformat(text)
        found = given.astimezone(UTC) if given.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or found.microsecond or not _EARLIEST <= found < _LATEST:
        remedy = "give an instant in whole seconds with its zone, such as 2018-01-01T00:00:00Z, from 1990 on"
        raise _FaultyError("observed_at", text, remedy, QuarantineReason.BAD_INSTANT)
    return found


def _metric(name: Any, taken: Any) -> str:
    if not isinstance(name, str) or not _METRIC.fullmatch(name):
        remedy = "give lower-case letters, digits and underscores, at most 100, a letter first"
        raise _FaultyError("metric", name, remedy, QuarantineReason.MALFORMED_RECORD)
    if taken(name):
        remedy = "declared sources publish this metric; push under a metric of your own"
        raise _FaultyError("metric", name, remedy, QuarantineReason.FOREIGN_SERIES)
    return name


def _vintage(name: Any) -> str:
    if name not in _VINTAGES:
        raise _FaultyError("vintage", name, f"give one of {', '.join(_VINTAGES)}", QuarantineReason.UNKNOWN_VINTAGE)
    return str(name)


def _value(number: Any) -> float:
    if number is None:
        return math.nan
    # By exact type, since True is an int.
    if type(number) not in (int, float) or not math.isfinite(number):
        remedy = "give a finite number, or null where it was withdrawn"
        raise _FaultyError("value", number, remedy, QuarantineReason.NOT_A_NUMBER)
    return float(number)


def _fault(point: Point, field: str, value: Any, remedy: str, reason: QuarantineReason) -> Fault:
    shown = None if isinstance(value, float) and math.isnan(value) else value
    name = f"measurements[{point.index}].{field}"
    return Fault(point.index, name, shown, remedy, reason, point.area, point.observed_at)


def _shown(value: Any) -> Any:
    """Return a value as an answer may carry it: short, and never an infinity, which is no JSON."""
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    return str(value)[:_SHOWN]
