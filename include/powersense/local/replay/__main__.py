"""Serve the replay in the foreground: `python -m powersense.local.replay --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from powersense.errors import ConfigurationError, PowerSenseError
from powersense.local.replay.server import LOOPBACK, bound_socket, open_state, uvicorn_server
from powersense.local.replay.state import ReplayState

DEFAULT_PORT = 8190


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m powersense.local.replay",
        description="Serve recorded éCO2mix data in the shape of the ODRÉ portal's Explore API v2.1, on loopback.",
    )
    given = os.environ.get
    parser.add_argument(
        "--port", type=int, default=int(given("REPLAY_PORT") or DEFAULT_PORT), help="TCP port (REPLAY_PORT)"
    )
    parser.add_argument(
        "--data", type=Path, default=given("REPLAY_DATA") or None, help="folder (REPLAY_DATA; default: bundled sample)"
    )
    parser.add_argument(
        "--shift", default=given("REPLAY_SHIFT") or "auto", help="auto, 0 or a multiple of 7 days (REPLAY_SHIFT)"
    )
    parser.add_argument(
        "--clock",
        default=given("REPLAY_CLOCK") or "live",
        help="live, frozen or an ISO instant of the served dates (REPLAY_CLOCK)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="JSON",
        help='start with a fault, e.g. \'{"fault": "rate_limit", "times": 2}\' (REPLAY_FAULTS: a JSON list)',
    )
    return parser


def _inject(state: ReplayState, texts: Sequence[str]) -> None:
    for text in texts:
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigurationError(f"--fault or REPLAY_FAULTS: {text!r} is not JSON: {error}") from error
        for one in document if isinstance(document, list) else [document]:
            state.faults.inject_document(one)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        state = open_state(options.data, shift=options.shift, clock=options.clock)
        _inject(state, [*filter(None, [os.environ.get("REPLAY_FAULTS")]), *options.fault])
        listener = bound_socket(options.port)
    except PowerSenseError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    status = state.status()
    print(
        f"replay: http://{LOOPBACK}:{listener.getsockname()[1]} shift={status['shift_days']} days "
        f"clock={status['clock']}{' (frozen)' if status['is_frozen'] else ''} "
        f"recorded={status['recorded_wall_clock']} runs_out_at={status['runs_out_at']}",
        flush=True,
    )
    # uvicorn stops cleanly at a signal and then raises it again.
    with listener, suppress(KeyboardInterrupt):
        uvicorn_server(state, log_level="warning").run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
