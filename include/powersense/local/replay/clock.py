"""The clock of the served timeline: live, or frozen at an instant."""

from __future__ import annotations

from datetime import UTC, datetime

from powersense.calendar import PARIS
from powersense.errors import ConfigurationError


class Clock:
    """What the replay takes for now; all instants are aware, in UTC.

    >>> clock = Clock("2017-10-05T12:00:00+02:00")
    >>> clock.now().isoformat(), clock.is_frozen
    ('2017-10-05T10:00:00+00:00', True)
    """

    def __init__(self, setting: str = "live") -> None:
        self._frozen_at: datetime | None = None
        self.set(setting)

    @property
    def is_frozen(self) -> bool:
        """True where `now` does not move."""
        return self._frozen_at is not None

    def set(self, setting: str) -> None:
        """Set the clock: `live`, `frozen` (at this moment), or an ISO instant; one without offset is Paris time.

        Raises:
            ConfigurationError: none of the three.
        """
        word = setting.strip().casefold()
        if word == "live":
            self._frozen_at = None
        elif word == "frozen":
            self._frozen_at = datetime.now(UTC)
        else:
            self._frozen_at = parse_instant(setting)

    def now(self) -> datetime:
        """Return the current instant of the served timeline."""
        return self._frozen_at or datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """Return an ISO instant in UTC; one without offset is Paris time.

    Raises:
        ConfigurationError: not an ISO instant.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"clock={text!r}: expected 'live', 'frozen' or an ISO 8601 instant.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=PARIS)).astimezone(UTC)
