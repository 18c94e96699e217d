"""What the demo does once Airflow runs: brings the recorded incident into view, and in `demo-once` checks it all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense.errors import LocalStackError
from powersense.local import demo_files, demo_report
from powersense.local.airflow_api import AirflowApi
from powersense.local.options import PROJECT_ROOT
from powersense.local.ports import LOOPBACK
from powersense.local.progress import Progress
from powersense.local.replay_settings import frozen_clock, shift

if TYPE_CHECKING:
    from powersense.local.stages import Stack

INGEST, TRANSFORM, SCORE, CHECK = "ingest_load", "transform_warehouse", "score_anomalies", "check_data_quality"
TRAIN, FORECAST = "train_models", "forecast_load"
PUBLISH, STREAM = "publish_features", "score_features"
LOAD_FILES = "load_files"
REPORT_FILE = PROJECT_ROOT / "build" / "demo.json"

_DAGS_SECONDS = 180.0
_RUN_SECONDS = 300.0
# All areas' models, on a small machine that ingests and scores beside.
_TRAINING_SECONDS = 1200.0
# The scheduler turns an asset event into a run within a second or two.
_ASSET_RUN_SECONDS = 10.0


@dataclass(frozen=True)
class DemoRuns:
    """Triggers runs and waits for them, with a progress line each."""

    api: AirflowApi
    progress: Progress
    is_cancelled: Callable[[], bool]

    def wait_for_dags(self) -> None:
        """Wait until Airflow knows the DAGs that the demo runs.

        Raises:
            LocalStackError: a DAG file cannot be imported, or a DAG is still absent after a while.
        """
        needed = {INGEST, TRANSFORM, SCORE, CHECK, TRAIN, PUBLISH, STREAM, LOAD_FILES}
        with self.progress.stage("DAGs parsed") as details:
            self._wait_until(lambda: needed <= self._importable_dags(), _DAGS_SECONDS, lambda: f"of {sorted(needed)}")
            details.append(str(len(self.api.dag_ids())))

    def _importable_dags(self) -> set[str]:
        errors = self.api.import_errors()
        if errors:
            raise LocalStackError("DAG files cannot be imported:\n" + "\n".join(errors))
        return self.api.dag_ids()

    def run(self, dag_id: str, conf: Mapping[str, Any]) -> None:
        """Run a DAG with a configuration and wait for its success."""
        with self.progress.stage(dag_id) as details:
            run_id = self.api.trigger(dag_id, conf)
            self.api.wait_for(dag_id, run_id, timeout_seconds=_RUN_SECONDS, is_cancelled=self.is_cancelled)
            details.append(_range_text(conf))

    def release(self, *dag_ids: str) -> None:
        """Let DAGs run by their schedules."""
        for dag_id in dag_ids:
            self.api.unpause(dag_id)

    def transform(self, *, since: datetime, conf: Mapping[str, Any]) -> None:
        """Wait for the dbt run that new rows started after `since`; start one when they did not."""
        with self.progress.stage(TRANSFORM) as details:
            run_id = self._run_by_asset(since) or self.api.trigger(TRANSFORM, conf)
            self.api.wait_for(TRANSFORM, run_id, timeout_seconds=_RUN_SECONDS, is_cancelled=self.is_cancelled)
            details.append(run_id.split("__")[0])

    def wait_for_first(self, dag_id: str, *, seconds: float = _RUN_SECONDS) -> None:
        """Wait for the first run of a scheduled DAG that succeeds."""
        with self.progress.stage(f"{dag_id}, first run"):
            self._wait_until(
                lambda: any(run["state"] == "success" for run in self.api.runs(dag_id)),
                seconds,
                lambda: "\n".join(
                    self.api.failure_log(dag_id, run["dag_run_id"])
                    for run in self.api.runs(dag_id)
                    if run["state"] == "failed"
                ),
            )

    def _run_by_asset(self, since: datetime) -> str | None:
        deadline = time.monotonic() + _ASSET_RUN_SECONDS
        while time.monotonic() < deadline and not self.is_cancelled():
            for run in self.api.runs(TRANSFORM):
                if run["run_type"] == "asset_triggered" and datetime.fromisoformat(run["queued_at"]) >= since:
                    return str(run["dag_run_id"])
            time.sleep(0.5)
        return None

    def _wait_until(self, is_met: Callable[[], bool], seconds: float, explain: Callable[[], str]) -> None:
        deadline = time.monotonic() + seconds
        while not is_met():
            if self.is_cancelled():
                raise LocalStackError("stopped")
            if time.monotonic() > deadline:
                raise LocalStackError(f"waited {seconds:g} s in vain\n{explain()}")
            time.sleep(0.5)


def show_incident(stack: Stack) -> None:
    """Let the DAGs go one after another, so that the incident's alert shows soon (`make demo`).

    They are created paused: on a small machine the daily ones would otherwise compete with the first ingestion.
    """
    runs = DemoRuns(stack.api, stack.progress, stack.stop.is_made)
    try:
        runs.wait_for_dags()
        _deliver_files(stack)
        try:
            runs.release(INGEST, TRANSFORM)
            runs.wait_for_first(INGEST)
            for dag_id in (SCORE, CHECK):
                runs.release(dag_id)
                runs.wait_for_first(dag_id)
        finally:
            if not stack.stop.is_made():
                runs.release(*sorted(stack.api.dag_ids() - {FORECAST}))
                # Rows that came while it was paused started no run of it. The worker holds the messages until
                # train_models has trained its ensemble.
                stack.api.trigger(PUBLISH, {})
                for ingestion in demo_files.INGESTIONS:
                    stack.api.trigger(LOAD_FILES, {"ingestion": ingestion})
        for line in demo_report.alert_lines():
            stack.progress.note(line)
        stack.progress.note(f"Ready after {stack.progress.seconds:.0f} s: open {stack.base_url}")
        try:
            # A forecast before the first training would come from the lower rungs of the ladder, with an alert.
            runs.wait_for_first(TRAIN, seconds=_TRAINING_SECONDS)
        finally:
            if not stack.stop.is_made():
                runs.release(FORECAST)
    except LocalStackError:
        if not stack.stop.is_made():
            raise


def run_once(stack: Stack) -> None:
    """Run each DAG once over the recording, print what came out and write it to ``build/demo.json``.

    Raises:
        LocalStackError: a run failed, or the result is not what the recording must give.
    """
    runs = DemoRuns(stack.api, stack.progress, stack.stop.is_made)
    clock = frozen_clock(stack.state)
    runs.wait_for_dags()
    began = datetime.now(UTC)
    runs.run(INGEST, _conf(clock - timedelta(days=1), clock))
    _deliver_files(stack)
    for ingestion in demo_files.INGESTIONS:
        runs.run(LOAD_FILES, {"ingestion": ingestion})
    runs.transform(since=began, conf=_conf(clock - timedelta(days=1), clock))
    conf = _conf(demo_report.realtime_begins_at(), clock)
    runs.run(SCORE, conf)
    runs.run(CHECK, conf)
    _stream_once(runs, clock)
    report = demo_report.read(shift=shift(stack.state))
    figures = {**report.figures(), "seconds": round(stack.progress.seconds, 1)}
    REPORT_FILE.parent.mkdir(exist_ok=True)
    REPORT_FILE.write_text(json.dumps(figures, indent=2) + "\n")
    stack.progress.box("PowerSense demo", report.lines())
    stack.progress.note(f"{REPORT_FILE}: {json.dumps(figures)}")
    report.require_sound()


def _deliver_files(stack: Stack) -> None:
    from powersense.autoloader.steps import sync_declarations

    with stack.progress.stage("Files delivered") as details:
        url = f"http://{LOOPBACK}:{stack.options.replay_port}"
        files = demo_files.deliver(stack.options.state_dir, replay_url=url, shift=shift(stack.state))
        # schedule_file_loads does so every minute, but rests yet, or altogether.
        sync_declarations()
        details.append(f"{files}")


def _stream_once(runs: DemoRuns, clock: datetime) -> None:
    """Train the stream's ensemble, publish the load, score it and land what came out: one micro-batch."""
    runs.run(TRAIN, {**_conf(clock, clock), "part": "stream"})
    runs.run(PUBLISH, _conf(clock, clock))
    runs.run(STREAM, {})


def _conf(start: datetime, end: datetime) -> dict[str, str]:
    return {"start": start.isoformat(), "end": end.isoformat()}


def _range_text(conf: Mapping[str, Any]) -> str:
    return str(conf.get("ingestion", "")) or " to ".join(
        str(conf[name])[:16] for name in ("start", "end") if name in conf
    )
