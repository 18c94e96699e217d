"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "powersense_"

Labels = Sequence[tuple[str, str]]


class Exposition:
    """Gauges, written a family at a time; the samples of one name stand together, however often it is added."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def add(self, name: str, about: str, samples: Iterable[tuple[Labels, float | None]]) -> None:
        """Add samples of a metric; None gives no sample.

        Args:
            name: without the prefix.
            about: one line for people.
            samples: labels with their values, and the figure.
        """
        full = f"{PREFIX}{name}"
        lines = self._families.setdefault(full, [f"# HELP {full} {about}", f"# TYPE {full} gauge"])
        lines.extend(f"{full}{_labels(labels)} {value:.15g}" for labels, value in samples if value is not None)

    def text(self) -> str:
        """Return everything that was added."""
        return "".join(f"{line}\n" for lines in self._families.values() for line in lines)


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{escape(value)}"' for name, value in labels) + "}" if labels else ""


def escape(value: str) -> str:
    r"""Return a label's value as it stands between quotes.

    >>> escape('a "b"\\c')
    'a \\"b\\"\\\\c'
    """
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
