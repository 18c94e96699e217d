"""Run the replay: in the foreground for the local stack, or in a thread for tests."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import uvicorn

from powersense.errors import LocalStackError, PortInUseError
from powersense.local.replay.app import create_app
from powersense.local.replay.clock import Clock
from powersense.local.replay.faults import Fault
from powersense.local.replay.publication import Publication
from powersense.local.replay.recording import open_recording
from powersense.local.replay.shift import parse_shift
from powersense.local.replay.state import ReplayState, RequestRecord

LOOPBACK = "127.0.0.1"
BUNDLED_SAMPLE = Path(__file__).resolve().parents[1] / "sample"
_START_TIMEOUT_S = 15.0


def bound_socket(port: int) -> socket.socket:
    """Return a socket bound to a loopback port; 0 takes a free one.

    Raises:
        PortInUseError: another process listens there; names the variable to change.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"port {port} for the upstream replay is already in use on {LOOPBACK}: stop what listens there, "
            f"or choose another one, e.g. REPLAY_PORT={port + 1000}"
        ) from error
    return listener


def open_state(data: Path | str | None, *, shift: str | int, clock: str) -> ReplayState:
    """Return what a server serves.

    Args:
        data: folder of recorded data; None takes the bundled sample.
        shift: `auto`, 0, or a multiple of 7 days.
        clock: `live`, `frozen`, or an ISO instant of the served timeline.

    Raises:
        ConfigurationError: an option is wrong, or the folder holds no recording.
    """
    recording = open_recording(Path(data or BUNDLED_SAMPLE).resolve())
    return ReplayState(Publication.of(recording, clock=Clock(clock), shift_days=parse_shift(str(shift))))


class _Server(uvicorn.Server):
    """Ends hanging and slow answers when it is told to stop, so that it stops at once."""

    def __init__(self, config: uvicorn.Config, state: ReplayState) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at a signal."""
        self._state.faults.clear()
        super().handle_exit(sig, frame)


def uvicorn_server(state: ReplayState, *, log_level: str) -> uvicorn.Server:
    """Return a server of the application on options that fit a small local process."""
    config = uvicorn.Config(
        create_app(state),
        log_level=log_level,
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return _Server(config, state)


class ReplayServer:
    """A real replay on a free loopback port, in a thread.

    Use it as a context manager; it serves the bundled sample's original dates unless told otherwise::

        with ReplayServer(clock="2017-10-05T12:00+02:00") as portal:
            requests.get(f"{portal.api_url}/eco2mix-national-tr/records", params={"limit": 5}, timeout=5)
            portal.inject("rate_limit", dataset="*-tr", times=2, retry_after=1)
            portal.inject("truncated", endpoint="exports", times=1, mode="interrupted")   # or mode="cut", "clean"
            portal.set_clock("2017-10-05T12:30+02:00")   # 12:00 and 12:15 are filled now
            portal.clear()
            assert portal.requests[-1].status == 200

    Attributes:
        base_url: the portal's root, the host of connection `odre_default`, such as `http://127.0.0.1:40123`.
        api_url: base_url + `/api/explore/v2.1/catalog/datasets`.
        files_url: base_url + `/files`, for HISTORY_DATA_URL; `<files_url>/eCO2mix_RTE_Annuel-Definitif_2016.zip`.
        meteo_france_url: base_url + `/meteofrance`; see `replay.weather` for the paths below it.
        open_meteo_url: base_url + `/open-meteo`.
        port: the TCP port.
        state: what is served (`publication`, `faults`), for tests that look inside.

    Fault kinds and their options stand in `powersense.local.replay.faults.OPTIONS`; every kind also takes `dataset`
    (pattern), `endpoint` (`records`, `exports`, `files`, `metadata`, `synop`, `hourly`, `observations`, `forecast`,
    `*`) and `times` (None = until cleared). For weather, `dataset` is the file's name, the
    department of observations, or `open-meteo`.
    """

    def __init__(
        self, data: Path | str | None = None, *, shift: str | int = 0, clock: str = "live", port: int = 0
    ) -> None:
        """Prepare a server; nothing listens before `start`.

        Args:
            data: folder of recorded data; None takes the bundled sample.
            shift: `auto`, 0 (the original dates), or a multiple of 7 days.
            clock: `live`, `frozen`, or an ISO instant of the served timeline; without offset it is Paris time.
            port: 0 takes a free one.
        """
        self.state = open_state(data, shift=shift, clock=clock)
        self._wanted_port = port
        self._listener: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """The portal's root."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def api_url(self) -> str:
        """Where the datasets are."""
        return f"{self.base_url}/api/explore/v2.1/catalog/datasets"

    @property
    def files_url(self) -> str:
        """Where the yearly files are."""
        return f"{self.base_url}/files"

    @property
    def meteo_france_url(self) -> str:
        """Where Météo-France's files and observation API are."""
        return f"{self.base_url}/meteofrance"

    @property
    def open_meteo_url(self) -> str:
        """Root of the forecast API; `<open_meteo_url>/v1/forecast`."""
        return f"{self.base_url}/open-meteo"

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests for data answered so far, oldest first."""
        return self.state.requests

    def inject(
        self, kind: str, *, dataset: str = "*", endpoint: str = "*", times: int | None = None, **options: Any
    ) -> Fault:
        """Start a fault; see `faults.OPTIONS`.

        Raises:
            ConfigurationError: unknown kind or option.
        """
        return self.state.faults.inject(kind, dataset=dataset, endpoint=endpoint, times=times, **options)

    def clear(self, kind: str | None = None) -> None:
        """End all faults, or those of one kind; hanging answers end too."""
        self.state.faults.clear(kind)

    def set_clock(self, setting: str) -> None:
        """Move the clock: `live`, `frozen`, or an ISO instant of the served timeline."""
        self.state.publication.clock.set(setting)

    def status(self) -> dict[str, Any]:
        """Return what `/replay/status` answers."""
        return self.state.status()

    def start(self) -> None:
        """Listen and answer.

        Raises:
            PortInUseError: the wanted port is taken.
            LocalStackError: the server did not come up in time.
        """
        self._listener = bound_socket(self._wanted_port)
        self.port = self._listener.getsockname()[1]
        self._server = uvicorn_server(self.state, log_level="critical")
        sockets = [self._listener]
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="replay", daemon=True)
        self._thread.start()
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._server.started:
            if time.monotonic() > end or not self._thread.is_alive():
                raise LocalStackError(f"the upstream replay did not start on {self.base_url}.")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop answering and free the port; a stopped server may be started again."""
        self.clear()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        if self._listener is not None:
            self._listener.close()
        self._server = self._thread = self._listener = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
