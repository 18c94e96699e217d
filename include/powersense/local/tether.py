"""Replace this process with a command that the kernel ends when the starter dies.

Components of the stack live in sessions of their own, out of a terminal's Ctrl-C; the tether is what ends them when
the stack is gone without having stopped them (kill -9).
Run as ``python -m powersense.local.tether STARTER_PID [USER] -- COMMAND…``.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Drop to another user if asked, tie this process to its starter, and become the command."""
    separator = arguments.index("--")
    (starter, *user), command = arguments[:separator], arguments[separator + 1 :]
    if user:
        _become(user[0])
    # After the change of user, which clears it; other systems than Linux do without.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(starter):
            raise SystemExit("the starter ended first")
    os.execvp(command[0], command)  # noqa: S606 - the command is the stack's own


def tethered(command: list[str], *, user: str | None = None) -> list[str]:
    """Return the command line that runs a command tied to the life of its starter, as `user` if given."""
    who = [str(os.getpid())] + ([user] if user else [])
    return [sys.executable, "-m", "powersense.local.tether", *who, "--", *command]


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main(sys.argv[1:])
