"""The last feature vectors of each (asset, sensor), kept across batches in memory of fixed size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Extension:
    """What a batch adds to the sequences; nothing is changed until it is given to `SequenceState.commit`.

    Attributes:
        windows: (messages, window, features): the rows that end with each message, oldest first.
        lengths: (messages,) how many rows of each window are there, its last ones.
        series: the batch's (asset, sensor) pairs, in the order of their last message.
        histories: (series, window, features): their last rows after the batch.
        counts: (series,) how many of those are there.
    """

    windows: NDArray[np.float64]
    lengths: NDArray[np.intp]
    series: Sequence[tuple[str, str]]
    histories: NDArray[np.float64]
    counts: NDArray[np.intp]


class SequenceState:
    """The last rows of at most `max_series` series; the one that was silent longest makes way.

    Not for use by several threads.

    Attributes:
        max_series: how many (asset, sensor) pairs are remembered.
        window: rows kept of each.
        feature_names: the rows' columns.
    """

    def __init__(self, max_series: int) -> None:
        self.max_series = max_series
        self.window = 1
        self.feature_names: tuple[str, ...] = ()
        self._free: list[int] = []
        self._lay_out(1, ())

    def __len__(self) -> int:
        return len(self._slots)

    def prepare(self, *, window: int, feature_names: Sequence[str]) -> None:
        """Make room for windows of at least `window` rows of these features.

        What is remembered of a feature stays; a new feature is not known (NaN) of earlier rows. A state whose features
        have nothing in common with the new ones forgets everything.
        """
        names = tuple(feature_names)
        if window == self.window and names == self.feature_names:
            return
        earlier, counts, known = self._histories, self._counts, self.feature_names
        slots = self._slots if set(names) & set(known) else {}
        self._lay_out(window, names)
        rows = min(window, earlier.shape[1])
        for column, name in enumerate(names):
            if slots and name in known:
                self._histories[:, window - rows :, column] = earlier[:, earlier.shape[1] - rows :, known.index(name)]
        for series, slot in slots.items():
            self._slots[series] = slot
            self._counts[slot] = min(counts[slot], window)
        self._free = [slot for slot in self._free if slot not in set(slots.values())]

    def _lay_out(self, window: int, names: tuple[str, ...]) -> None:
        self.window, self.feature_names = window, names
        self._histories = np.full((self.max_series, window, len(names)), np.nan)
        self._counts = np.zeros(self.max_series, dtype=np.intp)
        self._free = list(range(self.max_series - 1, -1, -1))
        # A dictionary keeps the order of insertion: the first series is the one that was silent longest.
        self._slots: dict[tuple[str, str], int] = {}

    def extend(self, series: Sequence[tuple[str, str]], rows: NDArray[np.float64]) -> Extension:
        """Return the windows that end with each row, without changing the state.

        Args:
            series: (asset, sensor) of each row; rows of one series stand in their order.
            rows: (messages, features), columns as `feature_names`.
        """
        last = {pair: at for at, pair in enumerate(series)}
        pairs = sorted(last, key=last.__getitem__)
        number = {pair: at for at, pair in enumerate(pairs)}
        of_row = np.fromiter((number[pair] for pair in series), dtype=np.intp, count=len(series))
        slots = np.fromiter((self._slots.get(pair, -1) for pair in pairs), dtype=np.intp, count=len(pairs))
        counts = np.where(slots >= 0, self._counts[slots], 0)
        added = np.bincount(of_row, minlength=len(pairs))
        # Each series' remembered rows and then its new ones stand in one run of a common table.
        starts = np.cumsum(added + self.window) - added - self.window
        place = starts[of_row] + self.window + _occurrence(of_row, added)
        table = np.full((len(series) + self.window * len(pairs), rows.shape[1]), np.nan)
        reach = np.arange(self.window)
        table[starts[:, None] + reach] = np.where((slots >= 0)[:, None, None], self._histories[slots], np.nan)
        table[place] = rows
        lengths = np.minimum(counts[of_row] + place - starts[of_row] - self.window + 1, self.window)
        return Extension(
            windows=table[(place - self.window + 1)[:, None] + reach],
            lengths=lengths,
            series=pairs,
            histories=table[(starts + added)[:, None] + reach],
            counts=np.minimum(counts + added, self.window),
        )

    def commit(self, extension: Extension) -> None:
        """Remember what `extend` returned; series that were silent longest make way where there is no room."""
        kept = range(max(0, len(extension.series) - self.max_series), len(extension.series))
        pairs = extension.series[kept.start :]
        for pair in pairs:
            slot = self._slots.pop(pair, None)
            self._slots[pair] = -1 if slot is None else slot
        while len(self._slots) > self.max_series:
            silent = next(iter(self._slots))
            self._release(silent)
        for pair in pairs:
            if self._slots[pair] < 0:
                self._slots[pair] = self._free.pop()
        slots = np.fromiter((self._slots[pair] for pair in pairs), dtype=np.intp, count=len(pairs))
        self._histories[slots] = extension.histories[kept.start :]
        self._counts[slots] = extension.counts[kept.start :]

    def forget(self, series: Iterable[tuple[str, str]]) -> None:
        """Forget these (asset, sensor) pairs; unknown ones are no error."""
        for pair in series:
            if pair in self._slots:
                self._release(pair)

    def _release(self, pair: tuple[str, str]) -> None:
        slot = self._slots.pop(pair)
        if slot >= 0:
            self._free.append(slot)


def _occurrence(of_row: NDArray[np.intp], added: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, for each row, how many earlier rows of the batch are of its series."""
    order = np.argsort(of_row, kind="stable")
    first = np.cumsum(added) - added
    occurrence = np.empty_like(order)
    occurrence[order] = np.arange(len(order)) - first[of_row[order]]
    return occurrence
