"""Loopback ports: which are free, and an error that says what to change when one is not."""

from __future__ import annotations

import socket

from powersense.errors import PortInUseError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Tell whether a listener could be opened on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a former listener that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(service: str, port: int, *, variable: str) -> None:
    """Refuse a port that is taken.

    Args:
        service: Name of the service that needs the port, for the message.
        port: Loopback TCP port.
        variable: Environment variable that chooses another port.

    Raises:
        PortInUseError: Something listens on the port already.
    """
    if not is_free(port):
        raise PortInUseError(
            f"port {port} for {service} is already in use on {LOOPBACK}: stop what listens there, "
            f"or choose another one, e.g. {variable}={port + 1000}"
        )


def free_port() -> int:
    """Return a port that is free now; another process may still take it before it is used."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
