"""What the worker logs: the Kafka library's repeats once, and anomalies at a pace that people and disks can take."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf

from powersense.streaming.outputs import Anomaly

logger = logging.getLogger(__name__)

# The Kafka library's threads repeat what they have to say with every try to connect.
_LIBRARY_MARK = "[thrd:"
_LIBRARY_SILENCE_SECONDS = 30.0
# Anomalies that are written in full each second; the rest of the second is one line.
ANOMALIES_A_SECOND = 20


class LibraryRepeats(logging.Filter):
    """Lets the Kafka library say the same thing once in a while only."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written."""
        text = record.getMessage()
        if _LIBRARY_MARK not in text:
            return True
        # The same but for numbers: the port, the process' count of clients, how long it took.
        kind = "".join(letter for letter in text if not letter.isdigit())
        now = self._clock()
        if now - self._said.get(kind, -inf) < _LIBRARY_SILENCE_SECONDS:
            return False
        self._said[kind] = now
        return True


class AnomalyLog:
    """Writes anomalies as warnings, some of each second in full, the others of it as one summary."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = -1
        self._written = 0
        self._skipped: Counter[str] = Counter()

    def write(self, anomalies: Sequence[Anomaly]) -> None:
        """Write a batch's anomalies; call it for empty batches too, so that a summary does not wait."""
        second = int(self._clock())
        if second != self._second:
            self.flush()
            self._second, self._written = second, 0
        room = max(ANOMALIES_A_SECOND - self._written, 0)
        for anomaly in anomalies[:room]:
            logger.warning(
                "anomaly: asset %s, sensor %s, %s, score %.3f at %s",
                *(anomaly.asset_id, anomaly.sensor_id or "–", anomaly.criticality, anomaly.final_score),
                anomaly.timestamp.isoformat(),
                extra={"fields": anomaly._asdict()},
            )
        self._written += min(len(anomalies), room)
        self._skipped.update(anomaly.criticality for anomaly in anomalies[room:])

    def flush(self) -> None:
        """Write the summary of what was not written in full."""
        if self._skipped:
            each = ", ".join(f"{level} {count}" for level, count in sorted(self._skipped.items()))
            logger.warning(
                "anomalies: %d more in a second: %s",
                self._skipped.total(),
                each,
                extra={"fields": {"more": dict(self._skipped)}},
            )
            self._skipped.clear()
