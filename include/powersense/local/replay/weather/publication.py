"""Recorded weather as it is public at the replay's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from powersense.local.replay.publication import Publication
from powersense.local.replay.shift import DAY_S
from powersense.local.replay.weather.recording import WeatherRecording, open_weather


@dataclass(frozen=True)
class WeatherPublication:
    """The recorded weather, moved by as many days as the load and shown up to the clock.

    Attributes:
        publication: the load's, for its folder, clock and shift.
        recording: what was recorded.
    """

    publication: Publication
    recording: WeatherRecording = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recording", open_weather(self.publication.recording.folder))

    @property
    def now(self) -> datetime:
        """The clock of the served timeline, UTC."""
        return self.publication.clock.now().astimezone(UTC)

    @property
    def now_s(self) -> int:
        """The clock of the served timeline, epoch seconds."""
        return int(self.now.timestamp())

    @property
    def shift_s(self) -> int:
        """Served minus recorded instant, seconds: whole days of 24 hours, since weather is published in UTC."""
        return self.publication.shift_days * DAY_S

    def recorded_s(self, served: datetime) -> int:
        """Return the recording's epoch second that is served at an aware instant."""
        return int(served.timestamp()) - self.shift_s

    def served(self, recorded_s: int) -> datetime:
        """Return the UTC instant at which a recorded epoch second is served."""
        return datetime.fromtimestamp(recorded_s + self.shift_s, UTC)
