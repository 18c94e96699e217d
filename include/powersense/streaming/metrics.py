"""The worker's figures: counted as it goes, read by heartbeats and by Prometheus."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from powersense.streaming.outputs import Scored

logger = logging.getLogger(__name__)

SCORE_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_RECENT_BATCHES = 512
_LOOPBACK = "127.0.0.1"


@dataclass
class Metrics:
    """Counts since the start, and the latest state; written by the worker's thread alone.

    Attributes:
        state: as in the table `stream_workers`.
        lag: messages of the worker's partitions that wait.
        model_trained_at: of the newest model in use, UTC.
        batch_seconds: of the latest batches, from the first message taken to the acknowledgement.
    """

    state: str = "waiting_for_model"
    model_id: str = ""
    model_trained_at: datetime | None = None
    guarantee: str = ""
    messages: int = 0
    results: int = 0
    unscored: int = 0
    anomalies: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    lag: int = 0
    partitions: int = 0
    rebalances: int = 0
    scores: list[int] = field(default_factory=lambda: [0] * len(SCORE_BOUNDS))
    score_sum: float = 0.0
    batch_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT_BATCHES))

    def count(self, scored: Scored, *, messages: int) -> None:
        """Add a batch that was handed to the broker."""
        buried = scored.dead_letters.total()
        self.batches += 1
        self.messages += messages
        self.results += len(scored.outputs) - buried
        self.unscored += scored.unscored
        self.dead_letters.update(scored.dead_letters)
        self.anomalies.update(anomaly.criticality for anomaly in scored.anomalies)
        for score in scored.final_scores:
            self.scores[bisect_left(SCORE_BOUNDS, score)] += 1
        self.score_sum += sum(scored.final_scores)

    def batch_milliseconds(self, share: float) -> float:
        """Return the duration within which this share of the latest batches was done; 0 before the first."""
        seconds = sorted(self.batch_seconds.copy())
        return 1000 * seconds[min(int(share * len(seconds)), len(seconds) - 1)] if seconds else 0.0

    def exposition(self, now: datetime) -> str:
        """Return the figures in Prometheus' text format, version 0.0.4."""
        lines: list[str] = []

        def add(name: str, kind: str, about: str, *samples: tuple[str, float]) -> None:
            full = f"powersense_stream_{name}"
            lines.extend((f"# HELP {full} {about}", f"# TYPE {full} {kind}"))
            lines.extend(f"{full}{labels} {value:g}" for labels, value in samples)

        add("messages_total", "counter", "Messages taken, dead letters included.", ("", self.messages))
        add("results_total", "counter", "Results published.", ("", self.results))
        add("unscored_total", "counter", "Results that were passed on without scores.", ("", self.unscored))
        add("batches_total", "counter", "Batches published.", ("", self.batches))
        add("rebalances_total", "counter", "Times that partitions were assigned.", ("", self.rebalances))
        add("anomalies_total", "counter", "Anomalies.", *_labelled("criticality", self.anomalies))
        add("dead_letters_total", "counter", "Dead letters.", *_labelled("reason", self.dead_letters))
        add("lag_messages", "gauge", "Messages of this worker's partitions that wait.", ("", self.lag))
        add("partitions", "gauge", "Partitions that this worker holds.", ("", self.partitions))
        quantiles = [(f'{{quantile="{share}"}}', self.batch_milliseconds(share) / 1000) for share in (0.5, 0.99)]
        add("batch_seconds", "gauge", "Duration of the latest batches.", *quantiles)
        if self.model_trained_at is not None:
            age = (now - self.model_trained_at).total_seconds()
            add("model_age_seconds", "gauge", "Since the newest model in use was trained.", ("", age))
        add("state", "gauge", "What the worker does.", (f'{{state="{self.state}",model_id="{self.model_id}"}}', 1))
        add("final_score", "histogram", "Distribution of the final scores.", *self._buckets())
        return "\n".join(lines) + "\n"

    def _buckets(self) -> list[tuple[str, float]]:
        total, samples = 0, []
        for bound, count in zip(SCORE_BOUNDS, self.scores, strict=True):
            total += count
            samples.append((f'_bucket{{le="{bound}"}}', float(total)))
        return [*samples, ('_bucket{le="+Inf"}', total), ("_sum", self.score_sum), ("_count", total)]


def _labelled(name: str, counts: Counter[str]) -> list[tuple[str, float]]:
    return [(f'{{{name}="{value}"}}', count) for value, count in sorted(counts.copy().items())]


class MetricsServer:
    """Serves the figures at `/metrics` on a loopback port; a thread of its own."""

    def __init__(self, metrics: Metrics, *, port: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path.split("?")[0] == "/metrics"
                body = metrics.exposition(now()).encode() if found else b"see /metrics\n"
                self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, text: str, *arguments: object) -> None:
                logger.debug(text, *arguments)

        self._server = ThreadingHTTPServer((_LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
