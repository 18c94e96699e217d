"""Twenty kills -9 of two workers over 200,000 messages: every input has its result or dead letter, none is missing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.services.stream_stack import Reader, message, produce, stream_settings

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 200_000
KILLS = 20
ASSETS = 500
PARTITIONS = 4
# New results from one kill to the next.
BETWEEN = (200, 5_000)
SEED = 20_171_201
# What each start reads again of a partition. A series' last three values, which the scores rest on, are within its
# last 400 messages; the 50,000 of the settings would be read and scored five times as often as the messages themselves.
REBUILT = 2_000


def corpus():
    """Yield (asset, message): 200,000 messages of 500 assets, every hundredth of them malformed."""
    for number in range(MESSAGES):
        asset = f"a{number % ASSETS}"
        yield asset, b'{"asset_id": "a", "features"' if number % 100 == 99 else message(asset, float(number))


class Workers:
    """Two workers of one group, each in a process of its own that is started again when it was killed."""

    def __init__(self, settings, folder):
        names = (
            "kafka_bootstrap_servers",
            "kafka_consumer_group",
            "kafka_topic_input_features",
            "kafka_topic_output_anomalies",
            "kafka_topic_dead_letter",
            "stream_delivery",
            "stream_batch_messages",
            "kafka_session_timeout_ms",
            "stream_rebuild_messages",
        )
        self.environment = {**os.environ, **{name.upper(): str(getattr(settings, name)) for name in names}}
        self.environment["PYTHONPATH"] = os.pathsep.join((str(ROOT / "include"), str(ROOT)))
        self.log = (folder / "workers.log").open("ab")
        self.processes = [self.spawn(), self.spawn()]

    def spawn(self):
        command = [sys.executable, "-m", "tests.services.stream_crash_worker"]
        return subprocess.Popen(command, env=self.environment, cwd=ROOT, stderr=self.log)

    def kill(self, index):
        victim = self.processes[index]
        assert victim.poll() is None, "a worker ended by itself"
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.processes[index] = self.spawn()

    def stop(self):
        for process in self.processes:
            process.terminate()
        return [process.wait(10) for process in self.processes]

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.log.close()


@pytest.mark.slow
def test_no_message_is_lost_when_workers_are_killed_at_random(kafka_broker, tmp_path):
    """Kills follow the results, so that each one falls into the middle of the work, and into rebalances."""
    settings = stream_settings(
        kafka_broker.servers,
        partitions=PARTITIONS,
        stream_batch_messages=200,
        stream_rebuild_messages=REBUILT,
        kafka_session_timeout_ms=3_000,
    )
    assert produce(settings, corpus()) == MESSAGES
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    due = chance.randint(*BETWEEN)
    reader = Reader(settings, settings.kafka_topic_output_anomalies)
    letters = Reader(settings, settings.kafka_topic_dead_letter)
    workers = Workers(settings, tmp_path)
    ids: Counter[str] = Counter()
    payloads: dict[str, bytes] = {}
    kills, deadline = 0, time.monotonic() + 200
    try:
        while len(ids) < MESSAGES or kills < KILLS:
            assert time.monotonic() < deadline, f"{len(ids)} of {MESSAGES} messages, {kills} kills"
            for source in (reader, letters):
                source.read(seconds=0.2)
                for one in source.found:
                    identity = dict(one.headers())["message-id"].decode()
                    ids[identity] += 1
                    # A repeat says the same.
                    content = json.loads(one.value())
                    content.pop("failed_at", None)
                    assert payloads.setdefault(identity, content) == content
                source.found.clear()
            if kills < KILLS and len(ids) >= due:
                workers.kill(chance.randrange(2))
                kills += 1
                due = len(ids) + chance.randint(*BETWEEN)
        assert workers.stop() == [0, 0]
    finally:
        workers.end()
        reader.close()
        letters.close()
    # Kills did fall between publishing and committing, and sequences were rebuilt from the topic.
    assert ids.total() > MESSAGES
    assert "sequences rebuilt from" in (tmp_path / "workers.log").read_text()
