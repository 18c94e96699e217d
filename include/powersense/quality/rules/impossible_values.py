"""Stored load values that cannot be true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, stamp

RULE = "impossible_values"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find loads out of range, and a France that is not the sum of its regions.

    Args:
        facts: rows of two kinds, by `kind`. `range`: per area, `area`, `instants` (bad ones of six hours), `lowest`
            and `highest` (MW, of the bad ones), `newest` (UTC). `imbalance`: one row, `area` is France, `instants`,
            `lowest` and `highest` (relative gap of the regions' sum to France), `newest`; counted with a gap above
            `max_imbalance`.
        now: the check's instant, UTC.
        thresholds: `max_imbalance` is named in the message; the query applies it.
    """
    return [_imbalance(row, thresholds) if row["kind"] == "imbalance" else _out_of_range(row) for row in facts]


def _out_of_range(row: FactRow) -> Finding:
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL,
        area=row["area"],
        key="range",
        subject=f"Impossible load in {row['area']}",
        message=(
            f"{row['instants']} load values lie out of range, from {row['lowest']:.0f} to {row['highest']:.0f} MW; "
            f"the newest is of {stamp(row['newest'])}."
        ),
    )


def _imbalance(row: FactRow, thresholds: Thresholds) -> Finding:
    worst = max(row["lowest"], row["highest"], key=abs)
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL,
        area=row["area"],
        key="imbalance",
        subject="The regions' load does not add up to France's",
        message=(
            f"At {row['instants']} instants the sum of the regions differs from France by more than "
            f"{thresholds.max_imbalance:.0%}, by {worst:+.0%} at worst; the newest is {stamp(row['newest'])}."
        ),
    )
