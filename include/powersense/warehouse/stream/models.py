"""The table `stream_models`: what was trained for the stream, and which of it serves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

POOLED = ""

Source = Literal["api", "schedule"]


@dataclass(frozen=True)
class RegisteredEnsemble:
    """One trained ensemble; instants in UTC.

    Attributes:
        model_id: unique; names the artefact.
        scope: `POOLED`, or the asset that it scores alone.
        model_names: its models.
        feature_names: what a message should carry, in the order of training.
        trained_at: when; of a scope's ensembles the newest serves.
        data_from: first instant that it learnt from; None where the data named none.
        data_until: it knows nothing of this instant and later ones; None as above.
        rows_trained: rows that it learnt from.
        metrics: JSON: what training measured.
        code_version: version of the package and fingerprint of its detection code.
        seed: of whatever is random in the fit.
        artefact_uri: where its file lies.
        artefact_sha256: of the file, hexadecimal.
        source: who trained it.
        run_id: the Airflow run, or `api:` and the caller's name.
    """

    model_id: str
    scope: str
    model_names: list[str]
    feature_names: list[str]
    trained_at: datetime
    data_from: datetime | None
    data_until: datetime | None
    rows_trained: int
    metrics: str
    code_version: str
    seed: int
    artefact_uri: str
    artefact_sha256: str
    source: Source
    run_id: str


@dataclass(frozen=True)
class StoredEnsemble:
    """What is needed to load an ensemble, and to tell whether it is newer than another."""

    model_id: str
    artefact_uri: str
    artefact_sha256: str
    trained_at: datetime


def register(client: Client, ensemble: RegisteredEnsemble) -> None:
    """Record a trained ensemble; one that is recorded already is replaced."""
    row = asdict(ensemble)
    columns = [field.name for field in fields(RegisteredEnsemble)]
    client.insert(
        "stream_models",
        [[row[name] for name in columns]],
        column_names=columns,
        settings={"insert_deduplicate": 0},
    )


def newest(client: Client) -> dict[str, StoredEnsemble]:
    """Return the ensemble that serves each scope; empty where nothing was trained."""
    return {
        ensemble.scope: StoredEnsemble(
            ensemble.model_id, ensemble.artefact_uri, ensemble.artefact_sha256, ensemble.trained_at
        )
        for ensemble in serving(client)
    }


def serving(client: Client) -> list[RegisteredEnsemble]:
    """Return all that is recorded of the ensembles that serve, the pooled one first, then by scope."""
    rows = client.query(statement("stream_models_serving")).named_results()
    return [RegisteredEnsemble(**row) for row in rows]
