"""How a run of ingestion ends in Airflow: an asset event, a skip, or a failure that is not retried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from powersense.errors import ConfigurationError, RateLimitedError, SourceError, SourceRequestError
from powersense.ingest.storing import Stored, nothing_stored


def announce(outcomes: Iterable[Stored], event: Any) -> Stored:
    """Sum up what was stored and write it on the asset event; where nothing changed, skip, so that no event is sent.

    Args:
        outcomes: of `store` and `load_history`.
        event: Airflow's accessor of the asset's outlet event.

    Raises:
        AirflowSkipException: no row is new or revised.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    total = nothing_stored()
    for outcome in outcomes:
        for name in total:
            total[name] += outcome[name]  # type: ignore[literal-required]
    if not total["rows_new"] + total["rows_revised"]:
        raise AirflowSkipException(f"nothing new: {total}")
    event.extra = dict(total)
    return total


def fail_with_reasons(*, run_id: str) -> None:
    """Fail a run of which at least one fetch failed for good.

    Raises:
        SourceError: always; says where the reasons stand.
    """
    raise SourceError(
        f"a fetch of run {run_id} failed; what the others brought is stored. "
        "The reasons stand in ingestion_runs, in the rows of this run_id whose state is 'failed'."
    )


@contextmanager
def no_retry_where_useless() -> Iterator[None]:
    """Fail the task for good where asking again cannot help, or would only burn the quota; other errors pass through.

    Raises:
        AirflowFailException: for a used-up quota, a refused request, or a wrong declaration.
    """
    from airflow.sdk.exceptions import AirflowFailException

    try:
        yield
    except (RateLimitedError, SourceRequestError, ConfigurationError) as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
