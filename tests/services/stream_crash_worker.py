"""One worker of the crash test, as a process of its own: the real worker, and a scorer that costs little to start."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

from powersense.settings import Settings
from powersense.streaming.worker import Worker
from tests.services.stream_stack import GivenModels, PlainScorer, watch


class SlowScorer(PlainScorer):
    """Takes its time, so that kills find the worker in the middle of its work."""

    def score_batch(self, messages):
        time.sleep(0.02)
        return super().score_batch(messages)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {os.getpid()} %(message)s")
    logging.getLogger("powersense.streaming.logs").setLevel(logging.ERROR)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    models = watch(GivenModels("plain-1"), make=SlowScorer)
    models.refresh()
    Worker(Settings(), models, stop=stop).run()
    sys.exit(0)
