"""The API alone: `python -m powersense.api` serves it, `python -m powersense.api new-key NAME` makes a key."""

from __future__ import annotations

import argparse
import gc
import sys

from powersense.api.auth import SCOPES, VARIABLE, new_key
from powersense.errors import PowerSenseError
from powersense.settings import get_settings


def main(arguments: list[str] | None = None) -> int:
    """Serve the API until SIGTERM or SIGINT, or print a new key; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m powersense.api", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser("serve", help="serve the API (what it does without a command)")
    for each in (parser, serve):
        each.add_argument("--host", default="127.0.0.1", help="address to listen on")
        each.add_argument("--port", type=int, default=None, help="port; POWERSENSE_API_PORT by default")
    key = commands.add_parser("new-key", help="print a new API key and what to configure of it")
    key.add_argument("name", help="whose key it is; stands in logs and in what it trains")
    key.add_argument("--scope", choices=SCOPES, default="read", help="write includes read")
    options = parser.parse_args(arguments)
    try:
        if options.command == "new-key":
            return _print_new_key(options.name, options.scope)
        return _serve(options.host, options.port or get_settings().powersense_api_port)
    except PowerSenseError as error:
        print(f"powersense.api: {error}", file=sys.stderr)
        return 2


def _print_new_key(name: str, scope: str) -> int:
    key, entry = new_key(name, "write" if scope == "write" else "read")
    print(f"key, shown this once:    {key}")
    print(f"add to {VARIABLE}: {entry.name}:{entry.scope}:{entry.sha256}")
    return 0


def _serve(host: str, port: int) -> int:
    import uvicorn

    from powersense.api.alone import create_service
    from powersense.logs import set_up

    settings = get_settings()
    service = create_service(settings.powersense_api_keys, settings.powersense_api_key_files)
    # Its own log and uvicorn's in one form; with uvicorn's default, JSON lines would be half of it.
    set_up(settings)
    # What stands now stays: no collection has to walk through it while somebody waits for an answer.
    gc.collect()
    gc.freeze()
    uvicorn.run(service, host=host, port=port, log_config=None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
