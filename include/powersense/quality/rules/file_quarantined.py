"""Files of an ingestion are given up until they change or somebody releases them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share

RULE = "file_quarantined"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the ingestions with quarantined files; one alert each, which ends with the last of these files.

    A third of the files of the last week or more is an upstream that changed, and critical.

    Args:
        facts: one row per enabled ingestion with quarantined files: `ingestion`, `files` (quarantined), `recent` and
            `recent_total` (quarantined ones, and all, of those that came or changed within the last week), `path` and
            `error` of the one that was given up last.
        now: the check's instant, UTC.
        thresholds: none counts.
    """
    return [
        Finding(
            rule=RULE,
            severity=by_share(row["recent"], row["recent_total"]),
            key=row["ingestion"],
            subject=f"Files of {row['ingestion']} are quarantined",
            message=(
                f"Quarantined: {row['files']}, {row['recent']} of them among the {row['recent_total']} files of the "
                f"last week. The last one, {row['path']!r}: {row['error']}"
            ),
        )
        for row in facts
    ]
