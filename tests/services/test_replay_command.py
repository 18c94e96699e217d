"""The replay's command, and what it says where it cannot serve."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import requests

from powersense.errors import ConfigurationError, PortInUseError
from powersense.local.replay import ReplayServer
from powersense.local.replay.server import bound_socket
from tests.services.replay_portal import CLOCK, NATIONAL


def test_the_command_serves_the_sample_brought_to_now() -> None:
    command = [sys.executable, "-m", "powersense.local.replay", "--port", "0", "--shift", "auto", "--clock", "frozen"]
    faults = {"REPLAY_FAULTS": '[{"fault": "server_error", "endpoint": "exports"}]'}
    process = subprocess.Popen(
        command, env={**os.environ, **faults}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[1]
        status = requests.get(f"{base_url}/replay/status", timeout=10).json()
        assert status["shift_days"] % 7 == 0
        assert "2017-10-01" <= status["recorded_wall_clock"] < "2017-10-08"
        assert status["clock"] < status["runs_out_at"]
        assert [fault["fault"] for fault in status["faults"]] == ["server_error"]
        root = f"{base_url}/api/explore/v2.1/catalog/datasets/{NATIONAL}"
        where = {"where": "consommation is not null", "order_by": "date_heure desc", "limit": 1}
        newest = requests.get(f"{root}/records", params=where, timeout=10).json()["results"][0]
        age = datetime.fromisoformat(status["clock"]) - datetime.fromisoformat(newest["date_heure"])
        assert 900 <= age.total_seconds() < 1800
        assert requests.get(f"{root}/exports/json", timeout=10).status_code == 500
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_wrong_option_ends_the_command_with_its_reason() -> None:
    command = [sys.executable, "-m", "powersense.local.replay", "--port", "0"]
    for option, reason in (
        ("--shift=3", "multiple of 7"),
        ("--data=/nowhere", "no such folder"),
        ("--fault={", "not JSON"),
    ):
        ended = subprocess.run([*command, option], capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 2
        assert reason in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_taken_port_is_named() -> None:
    with ReplayServer(clock=CLOCK) as portal, pytest.raises(PortInUseError, match=f"port {portal.port} .* REPLAY_PORT"):
        bound_socket(portal.port)


def test_an_unreadable_capture_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigurationError, match="JSON"):
        ReplayServer(tmp_path)
