"""The steps as Airflow's tasks call them: what cannot be helped by trying again fails for good, or skips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from powersense.autoloader import steps
from powersense.autoloader.runs import RunFailedError
from powersense.errors import ConfigurationError, StoreAccessError

Context = Mapping[str, Any]


@contextmanager
def no_retry_where_useless() -> Iterator[None]:
    """Fail the task for good where a person has to act, or the ingestion's retries are used up; let others through.

    Raises:
        AirflowFailException: in place of those errors.
    """
    from airflow.sdk.exceptions import AirflowFailException

    try:
        yield
    except (ConfigurationError, RunFailedError, StoreAccessError, steps.LastTryError) as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def start(context: Context) -> None:
    """Begin the run that a DAG run's parameters ask for; see `steps.start_run`."""
    with no_retry_where_useless():
        steps.start_run(context["params"], run_id=context["run_id"])


def discover(context: Context) -> steps.Listing:
    """List the store; see `steps.discover`."""
    with no_retry_where_useless():
        return steps.discover(_ingestion(context), run_id=context["run_id"])


def compare(listing: steps.Listing, context: Context) -> steps.Comparison:
    """Compare what was listed with what is known; see `steps.compare`."""
    with no_retry_where_useless():
        return steps.compare(_ingestion(context), listing, run_id=context["run_id"])


def plan(comparison: steps.Comparison, pool: steps.Pool, context: Context) -> list[steps.Batch]:
    """Return the batches of a pool; see `steps.plan_batches`."""
    with no_retry_where_useless():
        return steps.plan_batches(_ingestion(context), comparison, pool=pool)


def load(batch: steps.Batch, context: Context) -> dict[str, int]:
    """Load a batch; see `steps.load_batch`."""
    with no_retry_where_useless():
        return steps.load_batch(
            _ingestion(context), batch, run_id=context["run_id"], try_number=context["ti"].try_number
        )


def announce(context: Context, *, alias: Any) -> int:
    """Send the event of the asset that a run has changed, so that what reads it begins. Returns the rows changed.

    Args:
        context: of the task.
        alias: the task's outlet that stands for the asset.

    Raises:
        AirflowSkipException: no row of `measurements` or `weather_observations` is new or revised.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from powersense.assets import MEASUREMENTS, WEATHER

    name = _ingestion(context)
    kind, rows_changed = steps.changed_ledger(name, run_id=context["run_id"])
    asset = {"measurements": MEASUREMENTS, "weather_observations": WEATHER}.get(kind)
    if asset is None or not rows_changed:
        raise AirflowSkipException(f"no row of a ledger is new or revised (target: {kind or 'none'})")
    context["outlet_events"][alias].add(asset, extra={"ingestion": name, "rows_changed": rows_changed})
    return rows_changed


def finish(context: Context) -> dict[str, Any]:
    """Write the run's end; see `steps.finish_run`."""
    with no_retry_where_useless():
        return steps.finish_run(_ingestion(context), run_id=context["run_id"])


def _ingestion(context: Context) -> str:
    # Of the parameters, not of the first task's result: the last task ends the record of a run that hardly began.
    return str(context["params"]["ingestion"])
