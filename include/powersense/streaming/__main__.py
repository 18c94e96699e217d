"""``python -m powersense.streaming``: the worker of the stream, until SIGINT or SIGTERM."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import threading
from types import FrameType

# Threads of a matrix library cost more than they give on products this small; it reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from powersense.errors import PowerSenseError
from powersense.logs import set_up
from powersense.settings import Settings, get_settings
from powersense.streaming.beats import beat_until
from powersense.streaming.client import client_properties
from powersense.streaming.logs import LibraryRepeats
from powersense.streaming.metrics import MetricsServer
from powersense.streaming.models import warehouse_models
from powersense.streaming.worker import Worker

logger = logging.getLogger("powersense.streaming")

# Whatever hangs, the process has ended ten seconds after it was told to.
_LAST_RESORT_SECONDS = 9.5
_JOIN_SECONDS = 2.0
_CONFIGURATION_ERROR = 2


def main() -> int:
    """Run the worker; return the exit code."""
    try:
        settings = get_settings()
        client_properties(settings)
    except PowerSenseError as error:
        print(error, file=sys.stderr)
        return _CONFIGURATION_ERROR
    set_up(settings, LibraryRepeats())
    stop, ended = threading.Event(), threading.Event()
    _on_signals(stop)
    return _run(settings, stop, ended)


def _run(settings: Settings, stop: threading.Event, ended: threading.Event) -> int:
    models = warehouse_models(settings)
    # Airflow sets up a log of its own when it is imported; the warehouse's connections would do that later.
    importlib.import_module("airflow.providers.clickhousedb.hooks.clickhouse")
    set_up(settings, LibraryRepeats())
    worker = Worker(settings, models, stop=stop)
    logger.info("worker %s starts: group %s", worker.worker_id, settings.kafka_consumer_group)
    server = MetricsServer(worker.metrics, port=settings.stream_metrics_port) if settings.stream_metrics_port else None
    threads = [
        threading.Thread(target=models.run_until, args=(stop,), name="models", daemon=True),
        threading.Thread(
            target=beat_until,
            args=(ended, worker.metrics),
            kwargs={"worker_id": worker.worker_id},
            name="beats",
            daemon=True,
        ),
    ]
    if settings.stream_landing == "on":
        from powersense.streaming.landing import Landing

        landing = Landing(settings)
        threads.append(threading.Thread(target=landing.run_until, args=(stop,), name="landing", daemon=True))
    for thread in threads:
        thread.start()
    try:
        worker.run()
    finally:
        stop.set()
        worker.metrics.state = "stopped"
        ended.set()
        for thread in threads:
            thread.join(_JOIN_SECONDS)
        if server is not None:
            server.close()
    logger.info("worker %s stopped: %d messages", worker.worker_id, worker.metrics.messages)
    return 0


def _on_signals(stop: threading.Event) -> None:
    def end(number: int, _: FrameType | None) -> None:
        if not stop.is_set():
            logger.info("%s: the batch under way is finished", signal.Signals(number).name)
            stop.set()
            last_resort = threading.Timer(_LAST_RESORT_SECONDS, os._exit, args=(1,))
            last_resort.daemon = True
            last_resort.start()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.exit(code)
