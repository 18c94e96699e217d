"""`python -m powersense.streaming` as docs/streaming.md has it: real models, a real broker and warehouse, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from powersense.local.kafka import EmbeddedKafka
from powersense.local.ports import free_port
from tests.services.stream_stack import produce, stream_settings, until, wait_for_messages

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("load_mw", "ramp_mw", "temperature_celsius")
ENDS_WITHIN_SECONDS = 10


def environment(settings, **more):
    names = [name for name in type(settings).model_fields if name.startswith(("kafka_", "stream_"))]
    chosen = {name.upper(): str(getattr(settings, name)) for name in names}
    return {**os.environ, "PYTHONPATH": str(ROOT / "include"), **chosen, **more}


@contextmanager
def worker_process(environment, log):
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "powersense.streaming"], env=environment, stderr=output, cwd=ROOT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def told_to_end(process, number):
    """Send a signal; return the exit code and how long the process took."""
    started = time.monotonic()
    process.send_signal(number)
    return process.wait(ENDS_WITHIN_SECONDS + 5), time.monotonic() - started


@pytest.fixture
def trained(warehouse, tmp_path, monkeypatch):
    """A trained pooled ensemble in the registry."""
    from powersense import model_store
    from powersense.detection.stream.ensemble import TrainedEnsemble
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.stream.models import RegisteredEnsemble, register

    monkeypatch.setenv("MODEL_STORE_URL", f"file://{tmp_path / 'models'}")
    get_settings.cache_clear()
    rows = np.random.default_rng(7).normal(size=(600, len(NAMES)))
    ensemble = TrainedEnsemble.train(
        rows, NAMES, series=None, models=("isolation_forest", "one_class_svm"), seed=7, model_id="pooled-1"
    )
    uri, checksum = model_store.save("pooled-1", ensemble.to_files(), model="stream")
    now = datetime.now(UTC).replace(microsecond=0)
    with connect("writer") as client:
        register(
            client,
            RegisteredEnsemble(
                "pooled-1", "", list(ensemble.model_names), list(NAMES), now, None, None, 600, "{}", "test", 7, uri,
                checksum, "schedule", "test",
            ),
        )  # fmt: skip
    return ensemble


def reading(number):
    values = np.random.default_rng(number).normal(size=len(NAMES))
    features = dict(zip(NAMES, values.tolist(), strict=True))
    return "turbine", json.dumps({"asset_id": "turbine", "sensor_id": "s", "features": features}).encode()


def asked(sql):
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        return client.query(sql).result_rows


def test_the_worker_scores_lands_reports_and_ends_on_sigterm(kafka_broker, trained, tmp_path):
    settings = stream_settings(kafka_broker.servers, stream_landing="on", stream_metrics_port=free_port())
    produce(settings, [*(reading(number) for number in range(200)), ("b", b"nonsense"), ("c", json.dumps(
        {"asset_id": "c", "features": dict.fromkeys(NAMES, 40.0)}).encode())])  # fmt: skip
    log = tmp_path / "worker.log"
    with worker_process(environment(settings, LOG_FORMAT="json"), log) as process:
        wait_for_messages(settings, settings.kafka_topic_output_anomalies, 201, seconds=60)
        until(lambda: asked("SELECT count() FROM stream_results FINAL") == [(201,)])
        until(lambda: asked("SELECT reason, original FROM stream_dead_letters FINAL") == [("invalid_json", "nonsense")])
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.stream_metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        assert "powersense_stream_messages_total 202" in text
        assert 'model_id="pooled-1"' in text
        code, seconds = told_to_end(process, signal.SIGTERM)
    assert code == 0
    assert seconds < ENDS_WITHIN_SECONDS
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (warned,) = [line for line in lines if line.get("asset_id") == "c"]
    assert warned["level"] == "WARNING"
    assert warned["criticality"] in {"high", "critical"}
    said = " ".join(line["message"] for line in lines)
    for told in ("starts", "subscribed", "assigned", "pooled-1 serves", "SIGTERM", "stopped: 202 messages"):
        assert told in said
    [(state, messages, letters)] = asked(
        "SELECT state, messages, dead_letters FROM stream_workers ORDER BY beat_at DESC LIMIT 1"
    )
    assert (state, messages, letters) == ("stopped", 202, 1)


def test_without_a_broker_setting_it_says_what_to_set(tmp_path):
    log = tmp_path / "worker.log"
    with worker_process({**os.environ, "KAFKA_BOOTSTRAP_SERVERS": ""}, log) as process:
        assert process.wait(60) == 2
    assert "Set it to the broker's host:port" in log.read_text()


def test_it_waits_for_a_broker_and_a_warehouse_and_ends_on_sigint_when_they_hang(tmp_path):
    broker = EmbeddedKafka(tmp_path / "broker.log")
    log = tmp_path / "worker.log"
    connections = {
        f"AIRFLOW_CONN_CLICKHOUSE_{role}": "clickhouse://nobody@127.0.0.1:1/none" for role in ("DEFAULT", "READER")
    }
    variables = {
        **os.environ,
        **connections,
        "KAFKA_BOOTSTRAP_SERVERS": broker.servers,
        "STREAM_UNTRAINED": "pass",
        "PYTHONPATH": str(ROOT / "include"),
        "STREAM_LANDING": "on",
        "STREAM_DELIVERY": "at_least_once",
    }
    with worker_process(variables, log) as process:
        until(lambda: "does not answer" in log.read_text(), seconds=60)
        with broker:
            from powersense.settings import Settings

            settings = Settings(kafka_bootstrap_servers=broker.servers)
            until(lambda: "assigned" in log.read_text(), seconds=60)
            produce(settings, [reading(1)])
            wait_for_messages(settings, settings.kafka_topic_output_anomalies, 1)
            os.kill(broker.pid, signal.SIGSTOP)
            code, seconds = told_to_end(process, signal.SIGINT)
    assert seconds < ENDS_WITHIN_SECONDS
    assert code == 0
