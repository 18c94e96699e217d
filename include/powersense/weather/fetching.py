"""Read weather: one job's questions to one upstream, landed, numbered, and its bad records set aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from powersense.errors import SourceNotFoundError
from powersense.ingest.fetching import recorded
from powersense.ingest.jobs import Batch, batch_id_of
from powersense.ingest.storing import Stored, store_all
from powersense.warehouse.ledger import WEATHER
from powersense.weather.planning import WeatherJob

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.meteo.records import Answer

logger = logging.getLogger(__name__)


def fetch_observations(job: WeatherJob, *, run_id: str, dag_id: str) -> Stored:
    """Ask the observation API for a job's departments and store what they reported in its range.

    Args:
        job: from `plan_observations`.
        run_id: the Airflow run; stamped on every row.
        dag_id: the DAG, for the run record.

    Raises:
        MissingCredentialError: the API's connection has no key.
        SourceError: upstream failed; the run record carries the message.
        WarehouseError: ClickHouse failed.
    """
    from powersense.sources.meteo import observations as meteo_observations

    return _ingest(job, lambda: meteo_observations.fetch_observations(job["departments"]), run_id=run_id, dag_id=dag_id)


def fetch_files(job: WeatherJob, *, run_id: str, dag_id: str) -> Stored:
    """Read a job's files and store what they hold of its range; arguments and errors as `fetch_observations`.

    Raises:
        SourceNotFoundError: a file that the job may not miss is not there.
    """
    return _ingest(job, lambda: _read_files(job), run_id=run_id, dag_id=dag_id)


def _read_files(job: WeatherJob) -> list[Answer]:
    """Return the answers of the files that are there.

    Raises:
        SourceNotFoundError: see `fetch_files`.
    """
    from powersense.sources.meteo.files import fetch_hourly, fetch_synop, months

    start, end = datetime.fromisoformat(job["start"]), datetime.fromisoformat(job["end"])
    # Names of files speak of the publisher's present year: ours, or that of a run of the past or of a replay; around
    # New Year it may be a year behind.
    now = datetime.now(UTC).year
    years = dict.fromkeys([now, now - 1, end.year, end.year + 1])
    asked: list[Callable[[], Answer]]
    if job["source_id"] == "hourly":
        asked = [
            partial(fetch_hourly, name, start=start, end=end, present_years=list(years)) for name in job["departments"]
        ]
    else:
        asked = [partial(fetch_synop, month, start=start, end=end) for month in months(start, end)]
    answers: list[Answer] = []
    absent: list[SourceNotFoundError] = []
    for ask in asked:
        try:
            answers.append(ask())
        except SourceNotFoundError as error:
            logger.warning("%s: a file is not there: %s", job["job_id"], error)
            absent.append(error)
    if absent and (job["may_miss"] == "nothing" or (job["may_miss"] == "some" and not answers)):
        raise absent[0]
    return answers


def _ingest(job: WeatherJob, ask: Callable[[], list[Answer]], *, run_id: str, dag_id: str) -> Stored:
    from powersense.sources.meteo.source import meteo_source
    from powersense.warehouse.client import connect

    source = meteo_source(job["source_id"])
    with connect("writer") as client, recorded(client, job, dataset=source.dataset, run_id=run_id, dag_id=dag_id):
        batch = _land(client, ask(), job, run_id=run_id)
        return store_all(client, [batch], ledger=WEATHER)


def _land(client: Client, answers: list[Answer], job: WeatherJob, *, run_id: str) -> Batch:
    """Normalise answers, land their rows as one batch, quarantine the rest; return keys and counts."""
    import pandas as pd

    from powersense.sources.meteo.records import empty_rows, normalise_weather
    from powersense.sources.meteo.source import meteo_source
    from powersense.warehouse.landing import land
    from powersense.warehouse.quarantine import quarantine

    source = meteo_source(job["source_id"])
    start, end = datetime.fromisoformat(job["start"]), datetime.fromisoformat(job["end"])
    found = [normalise_weather(answer, source, start=start, end=end, run_id=run_id) for answer in answers]
    rows = [one.observations for one in found if len(one.observations)]
    frame = pd.concat(rows, ignore_index=True) if rows else empty_rows()
    batch_id = batch_id_of(job, run_id)
    return {
        "batch_id": batch_id,
        "records_seen": sum(one.records_seen for one in found),
        "rows_quarantined": sum(quarantine(client, one.quarantined) for one in found),
        "rows_landed": land(client, frame, batch_id=batch_id, ledger=WEATHER),
    }
