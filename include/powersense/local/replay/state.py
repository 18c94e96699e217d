"""What one replay serves, the faults that are set on it, and the requests that it answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from powersense.local.replay.faults import Fault, Faults
from powersense.local.replay.publication import Publication
from powersense.local.replay.weather.publication import WeatherPublication

if TYPE_CHECKING:
    from starlette.requests import Request

KEPT_REQUESTS = 10_000


@dataclass(frozen=True)
class RequestRecord:
    """One request that the replay answered.

    Attributes:
        received_at: wall-clock time, UTC.
        path: its path.
        dataset: dataset, file name, department of observations, or `open-meteo`.
        endpoint: `records`, `exports`, `files`, `metadata`, `synop`, `hourly`, `observations` or `forecast`.
        parameters: query parameters, a list per name.
        status: of the answer.
        faults: kinds of the faults that struck it.
    """

    received_at: datetime
    path: str
    dataset: str
    endpoint: str
    parameters: dict[str, list[str]]
    status: int
    faults: tuple[str, ...]


@dataclass
class ReplayState:
    """Everything that one server serves and remembers."""

    publication: Publication
    faults: Faults = field(default_factory=Faults)
    requests: list[RequestRecord] = field(default_factory=list)
    calls: int = 0
    weather: WeatherPublication = field(init=False)

    def __post_init__(self) -> None:
        self.weather = WeatherPublication(self.publication)

    def remember(self, request: Request, *, dataset: str, endpoint: str, status: int, faults: list[Fault]) -> None:
        """Log an answered request; the oldest are forgotten."""
        parameters = {name: request.query_params.getlist(name) for name in request.query_params}
        kinds = tuple(fault.kind.value for fault in faults)
        record = RequestRecord(datetime.now(UTC), request.url.path, dataset, endpoint, parameters, status, kinds)
        self.calls += 1
        self.requests.append(record)
        del self.requests[:-KEPT_REQUESTS]

    def status(self) -> dict[str, Any]:
        """Return shift, clock and what is recorded."""
        publication = self.publication
        runs_out_at = publication.runs_out_at
        return {
            "data": str(publication.recording.folder),
            "shift_days": publication.shift_days,
            "clock": publication.clock.now().isoformat(timespec="seconds"),
            "is_frozen": publication.clock.is_frozen,
            "recorded_wall_clock": publication.recorded_wall.isoformat(timespec="seconds"),
            "runs_out_at": runs_out_at.isoformat() if runs_out_at else None,
            "has_run_out": bool(runs_out_at and publication.clock.now() >= runs_out_at),
            "files": {name: [path.name for path in paths] for name, paths in publication.recording.paths.items()},
            "weather": {name: [path.name for path in paths] for name, paths in self.weather.recording.paths.items()},
            "faults": [fault.as_dict() for fault in self.faults.active()],
            "calls": self.calls,
        }
