"""Faults on demand: what can go wrong, which requests it strikes, and how often."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatch
from typing import Any

from powersense.errors import ConfigurationError


class FaultKind(StrEnum):
    """Everything that can be made to go wrong; the first seven strike the answer, the others its records."""

    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    SLOW_STREAM = "slow_stream"
    TRUNCATED = "truncated"
    MALFORMED_JSON = "malformed_json"
    HTML = "html"
    BLANK_LATEST = "blank_latest"
    REVISED = "revised"
    SCHEMA_DRIFT = "schema_drift"
    MISSING_KEY = "missing_key"
    WRONG_TYPE = "wrong_type"
    DUPLICATE_INSTANT = "duplicate_instant"
    GHOST_HOUR = "ghost_hour"
    FUTURE_ROWS = "future_rows"
    OUT_OF_RANGE = "out_of_range"


ANSWER_FAULTS = tuple(FaultKind)[:7]
RECORD_FAULTS = tuple(FaultKind)[7:]
_SELECTORS: Mapping[str, Any] = {"area": None, "since": None, "until": None}
OPTIONS: Mapping[FaultKind, Mapping[str, Any]] = {
    FaultKind.RATE_LIMIT: {"retry_after": 1, "errorcode": 10005, "call_limit": 50_000, "reset_time": None},
    FaultKind.SERVER_ERROR: {"status": 500},
    FaultKind.TIMEOUT: {"seconds": 3600.0},
    FaultKind.SLOW_STREAM: {"chunk_bytes": 256, "delay": 0.05},
    FaultKind.TRUNCATED: {"at": 0.5, "mode": "cut"},
    FaultKind.MALFORMED_JSON: {},
    FaultKind.HTML: {"status": 200},
    FaultKind.BLANK_LATEST: {"steps": 4},
    FaultKind.REVISED: {**_SELECTORS, "column": "consommation", "factor": 1.0, "add": 0, "rows": None},
    FaultKind.SCHEMA_DRIFT: {**_SELECTORS, "mode": "new_column", "column": None, "value": 42, "rows": None},
    FaultKind.MISSING_KEY: {**_SELECTORS, "key": "date_heure", "rows": 1},
    FaultKind.WRONG_TYPE: {**_SELECTORS, "column": "consommation", "value": {"mw": 1}, "rows": 1},
    FaultKind.DUPLICATE_INSTANT: {**_SELECTORS, "column": "consommation", "add": 0, "rows": 1},
    FaultKind.GHOST_HOUR: {**_SELECTORS, "column": "consommation", "add": 500, "rows": 4},
    FaultKind.FUTURE_ROWS: {**_SELECTORS, "column": "consommation", "value": 50_000, "rows": 4},
    FaultKind.OUT_OF_RANGE: {**_SELECTORS, "column": "consommation", "value": 9_999_999, "rows": 1},
}


@dataclass
class Fault:
    """One fault under way.

    Attributes:
        number: its identity, for clearing it alone.
        kind: what goes wrong.
        dataset: file-name pattern of the datasets it strikes; `*` strikes all.
        endpoint: `records`, `exports`, `files`, `metadata`, `synop`, `hourly`, `observations`, `forecast` or `*`.
        times: requests still to strike; None until cleared.
        options: of its kind, see `OPTIONS`; with the defaults filled in.
    """

    number: int
    kind: FaultKind
    dataset: str
    endpoint: str
    times: int | None
    options: dict[str, Any]
    struck: int = 0

    def strikes(self, *, dataset: str, endpoint: str) -> bool:
        """Tell whether it concerns a request."""
        return fnmatch(dataset, self.dataset) and fnmatch(endpoint, self.endpoint) and self.times != 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as the control endpoint shows it."""
        shown = {"number": self.number, "fault": self.kind.value, "dataset": self.dataset, "endpoint": self.endpoint}
        return {**shown, "times": self.times, "struck": self.struck, **self.options}


@dataclass
class Faults:
    """The faults under way. Safe to use from several threads."""

    generation: int = 0
    _active: list[Fault] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(
        self, kind: str, *, dataset: str = "*", endpoint: str = "*", times: int | None = None, **options: Any
    ) -> Fault:
        """Start a fault.

        Raises:
            ConfigurationError: unknown kind or option; names the known ones.
        """
        try:
            known = FaultKind(kind)
        except ValueError as error:
            raise ConfigurationError(f"fault={kind!r}: expected one of {', '.join(FaultKind)}.") from error
        unknown = options.keys() - OPTIONS[known].keys()
        if unknown:
            allowed = ", ".join(OPTIONS[known]) or "none"
            raise ConfigurationError(f"fault {kind} has no option {', '.join(sorted(unknown))}; it has {allowed}.")
        with self._lock:
            fault = Fault(next(self._numbers), known, dataset, endpoint, times, {**OPTIONS[known], **options})
            self._active.append(fault)
        return fault

    def inject_document(self, document: object) -> Fault:
        """Start a fault from a JSON object: `{"fault": kind, "dataset": …, "endpoint": …, "times": …, option: …}`.

        Raises:
            ConfigurationError: not an object, or without `fault`, or with an unknown option.
        """
        if not isinstance(document, dict) or not isinstance(document.get("fault"), str):
            raise ConfigurationError(f'a fault is an object such as {{"fault": "rate_limit"}}, not {document!r}.')
        options = dict(document)
        return self.inject(options.pop("fault"), **options)

    def clear(self, kind: str | None = None, *, number: int | None = None) -> int:
        """End all faults, or those of a kind, or one; hanging and slow answers end too. Return how many ended."""
        with self._lock:
            kept = [
                fault
                for fault in self._active
                if (kind is not None and fault.kind != kind) or (number is not None and fault.number != number)
            ]
            ended = len(self._active) - len(kept)
            self._active = kept
            self.generation += 1
        return ended

    def active(self) -> list[Fault]:
        """Return the faults that can still strike."""
        with self._lock:
            return [fault for fault in self._active if fault.times != 0]

    def take(self, *, dataset: str, endpoint: str) -> tuple[Fault | None, list[Fault]]:
        """Return what strikes one request, and count it: at most one fault of the answer, else those of its records."""
        with self._lock:
            striking = [fault for fault in self._active if fault.strikes(dataset=dataset, endpoint=endpoint)]
            answer = next((fault for fault in striking if fault.kind in ANSWER_FAULTS), None)
            records = [fault for fault in striking if fault.kind in RECORD_FAULTS]
            spoils_body = answer is None or answer.kind in (FaultKind.SLOW_STREAM, FaultKind.TRUNCATED)
            struck = ([answer] if answer else []) + (records if spoils_body else [])
            for fault in struck:
                fault.struck += 1
                fault.times = None if fault.times is None else fault.times - 1
            return answer, records if spoils_body else []
