"""How the stack starts the replay: its shift and, for `demo-once`, its frozen clock outlive the run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from powersense.local.options import StackOptions
from powersense.local.state import StateFolder

SAMPLE_FOLDER = Path(__file__).with_name("sample")
_DOCUMENT = "replay"
_SAMPLE_BEGINS = date(2016, 1, 1)


def replay_arguments(options: StackOptions, state: StateFolder, *, now: datetime) -> list[str]:
    """Return the replay's command line options.

    The first start decides the shift (`REPLAY_SHIFT`, `auto` by default) and, in `demo-once`, the clock; later
    starts keep both, so that the same records keep their instants and nothing is ingested twice under two dates.

    Args:
        options: mode and environment.
        state: folder that keeps the decisions.
        now: aware; the present.
    """
    folder = Path(options.environment.get("REPLAY_DATA") or SAMPLE_FOLDER)
    kept = state.read(_DOCUMENT)
    if kept.get("folder") != str(folder):
        kept = {"folder": str(folder), "shift_days": _shift_days(options, folder, now=now)}
        if options.mode == "demo-once":
            # On a step of the recording, so that the run's end is a slot's edge.
            kept["clock"] = (
                (now.astimezone(UTC) - timedelta(minutes=now.minute % 15)).replace(second=0, microsecond=0).isoformat()
            )
        state.write(_DOCUMENT, kept)
    arguments = ["--data", str(folder), "--shift", str(kept["shift_days"])]
    return arguments + (["--clock", str(kept["clock"])] if "clock" in kept else [])


def sample_variables(state: StateFolder) -> dict[str, str]:
    """Return the variables that spare the DAGs the years before the bundled sample begins; none for another folder."""
    kept = state.read(_DOCUMENT)
    if kept.get("folder") != str(SAMPLE_FOLDER):
        return {}
    return {"HISTORY_START_YEAR": str((_SAMPLE_BEGINS + timedelta(days=int(kept["shift_days"]))).year)}


def frozen_clock(state: StateFolder) -> datetime:
    """Return the instant at which the replay of `demo-once` stands, UTC."""
    return datetime.fromisoformat(state.read(_DOCUMENT)["clock"])


def shift(state: StateFolder) -> timedelta:
    """Return by how much the replay moves the recording's Paris wall clock: whole weeks."""
    return timedelta(days=int(state.read(_DOCUMENT)["shift_days"]))


def _shift_days(options: StackOptions, folder: Path, *, now: datetime) -> int:
    from powersense.local.replay.recording import Recording
    from powersense.local.replay.shift import automatic_shift_days, parse_shift

    asked = parse_shift(options.environment.get("REPLAY_SHIFT") or "auto")
    if asked is not None:
        return asked
    return automatic_shift_days(now=now, starts_at=Recording(folder).starts_at)
