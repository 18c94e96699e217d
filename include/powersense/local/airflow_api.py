"""A client of the local Airflow's REST API, as far as the demo needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from powersense.errors import LocalStackError

_TIMEOUT_SECONDS = 20.0
_RESTART_SECONDS = 60.0
_FINAL_STATES = frozenset({"success", "failed"})
_LOG_LINES = 30

Json = dict[str, Any]


class AirflowApi:
    """Speaks to one Airflow as one user.

    Args:
        base_url: address of the API server, without `/api/v2`.
        user: name of the user.
        password: the user's password.
    """

    def __init__(self, base_url: str, user: str, password: str) -> None:
        self._base_url = base_url
        self._credentials = {"username": user, "password": password}
        self._session = requests.Session()
        # A proxy of the environment has no business with a loopback address.
        self._session.trust_env = False

    def is_healthy(self) -> bool:
        """Tell whether the API server answers and the other components report their heartbeats."""
        try:
            answer = self._session.get(f"{self._base_url}/api/v2/monitor/health", timeout=_TIMEOUT_SECONDS)
        except requests.RequestException:
            return False
        if answer.status_code != requests.codes.ok:
            return False
        parts = answer.json()
        watched = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((parts.get(part) or {}).get("status") == "healthy" for part in watched)

    def dag_ids(self) -> set[str]:
        """Return the DAGs that Airflow knows."""
        return {dag["dag_id"] for dag in self._call("GET", "dags", query={"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """Return the traces of DAG files that cannot be imported."""
        return [error["stack_trace"] for error in self._call("GET", "importErrors")["import_errors"]]

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run with a configuration and return its id."""
        body = {"conf": dict(conf), "logical_date": None}
        return str(self._call("POST", f"dags/{dag_id}/dagRuns", body=body)["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run by its schedule."""
        self._call("PATCH", f"dags/{dag_id}", body={"is_paused": False})

    def runs(self, dag_id: str) -> list[Json]:
        """Return the latest runs of a DAG, newest first."""
        query = {"order_by": "-run_after", "limit": 50}
        return list(self._call("GET", f"dags/{dag_id}/dagRuns", query=query)["dag_runs"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait_for(
        self, dag_id: str, run_id: str, *, timeout_seconds: float, is_cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until a run has succeeded.

        Raises:
            LocalStackError: it failed, was cancelled, or takes too long; holds the end of the failed task's log.
        """
        deadline = time.monotonic() + timeout_seconds
        while (state := self.run_state(dag_id, run_id)) not in _FINAL_STATES:
            if is_cancelled():
                raise LocalStackError(f"stopped while {dag_id} ({run_id}) was {state}")
            if time.monotonic() > deadline:
                raise LocalStackError(f"{dag_id} ({run_id}) is still {state} after {timeout_seconds:g} s")
            time.sleep(0.5)
        if state != "success":
            raise LocalStackError(f"{dag_id} ({run_id}) failed\n{self.failure_log(dag_id, run_id)}")

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the task instances of a run."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return list(self._call("GET", path, query={"limit": 1000})["task_instances"])

    def failure_log(self, dag_id: str, run_id: str) -> str:
        """Return the end of the log of each failed task of a run."""
        texts = []
        for task in self.task_instances(dag_id, run_id):
            if task["state"] == "failed":
                path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number'] or 1}"
                answer = self._call("GET", path, query={"map_index": task["map_index"]})
                lines = [_log_line(entry) for entry in answer.get("content") or []]
                texts.append(f"--- {dag_id}.{task['task_id']}\n" + "\n".join(lines[-_LOG_LINES:]))
        return "\n".join(texts)

    def _call(self, method: str, path: str, *, query: Json | None = None, body: Json | None = None) -> Json:
        url = f"{self._base_url}/api/v2/{path}"
        answer = self._request(method, url, params=query, json=body)
        if answer.status_code == requests.codes.unauthorized:
            self._log_in()
            answer = self._request(method, url, params=query, json=body)
        if not answer.ok:
            raise LocalStackError(f"Airflow refused {method} {path}: {answer.status_code} {answer.text[:500]}")
        return dict(answer.json())

    def _request(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Send a request, giving a restarting API server the time to come back."""
        deadline = time.monotonic() + _RESTART_SECONDS
        while True:
            try:
                return self._session.request(method, url, timeout=_TIMEOUT_SECONDS, **arguments)
            except (requests.ConnectionError, requests.Timeout) as error:
                # An unanswered request that starts something may have started it: not again.
                is_safe = method == "GET" or isinstance(error, requests.ConnectionError)
                if not is_safe or time.monotonic() > deadline:
                    raise LocalStackError(f"Airflow does not answer at {self._base_url}: {error}") from error
                time.sleep(1)

    def _log_in(self) -> None:
        answer = self._request("POST", f"{self._base_url}/auth/token", json=self._credentials)
        if not answer.ok:
            raise LocalStackError(f"Airflow refused the login of {self._credentials['username']}: {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _log_line(entry: Any) -> str:
    """Return a structured log entry as one line, with the exception that it may carry."""
    if not isinstance(entry, dict):
        return str(entry)
    text = str(entry.get("event", ""))
    for failure in entry.get("error_detail") or []:
        text += f" {failure.get('exc_type')}: {failure.get('exc_value')}"
    return text
