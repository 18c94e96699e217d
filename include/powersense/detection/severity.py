"""How bad an anomaly is."""

from __future__ import annotations

from enum import StrEnum

CRITICAL_SHARE = 0.5


class Severity(StrEnum):
    """Severity of an anomaly or an episode, in the words of `alerts`."""

    WARNING = "warning"
    CRITICAL = "critical"


def severity_of(*, deviation_mw: float, expected_mw: float) -> Severity:
    """Return the severity of a load that deviates by `deviation_mw` from `expected_mw`.

    Half of an area's load does not vanish, or come, by weather or habit: from there on it is a large outage or broken
    data, and either needs someone now.

    >>> severity_of(deviation_mw=-1900, expected_mw=2000)
    <Severity.CRITICAL: 'critical'>
    >>> severity_of(deviation_mw=600, expected_mw=2000)
    <Severity.WARNING: 'warning'>
    """
    return Severity.CRITICAL if abs(deviation_mw) >= CRITICAL_SHARE * abs(expected_mw) else Severity.WARNING
