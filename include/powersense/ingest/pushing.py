"""Push: measurements that a caller sends become versions once, however often they are sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from powersense.errors import PowerSenseError
from powersense.ingest.jobs import Batch
from powersense.ingest.storing import store_all

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.pushed import Fault, Point
    from powersense.warehouse.pushes import Claim

# What ingestion_runs calls the DAG of a push.
API = "api"
MAX_PROBLEMS = 100


class KeyTakenError(PowerSenseError):
    """An idempotency key stands for another body already."""


@dataclass(frozen=True)
class PushRequest:
    """What a caller sends.

    Attributes:
        caller: who sends it.
        key: the caller's name of this request.
        source: who answers for the values; they are published as `push:<source>`.
        records: as parsed from JSON.
        body_sha256: of the body, hexadecimal.
    """

    caller: str
    key: str
    source: str
    records: Sequence[Any]
    body_sha256: str

    @property
    def publisher(self) -> str:
        """Publisher of the rows."""
        return f"push:{self.source}"

    @property
    def run_id(self) -> str:
        """Run that the rows name."""
        return f"{API}:{self.caller}"

    @property
    def batch_id(self) -> str:
        """Name of the batch, the same for the same request."""
        parts = json.dumps([self.caller, self.key, self.body_sha256])
        return f"push@{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class Pushed:
    """What became of a request.

    Attributes:
        received: records.
        new_versions: values that were not stored before.
        unchanged: records that say what is stored already, or that a later request has overtaken.
        quarantined: records that break the contract.
        problems: `field`, `value`, `remedy` and `reason` of the first hundred of those.
    """

    batch_id: str
    received: int
    new_versions: int
    unchanged: int
    quarantined: int
    problems: list[dict[str, Any]]


def push(client: Client, request: PushRequest) -> tuple[Pushed, bool]:
    """Store a request's records under its key; one that was cut short goes on where it is sent again.

    Args:
        client: a writer's client.
        request: what is sent.

    Returns:
        What became of it, and whether that was answered before.

    Raises:
        KeyTakenError: the caller has used the key for another body.
        WarehouseError: ClickHouse failed; sent again under its key, the request is done once.
    """
    from powersense.warehouse import pushes

    names = {"caller": request.caller, "key": request.key}
    claim = pushes.claim(client, **names, body_sha256=request.body_sha256, batch_id=request.batch_id)
    if claim.body_sha256 != request.body_sha256:
        raise KeyTakenError(
            f"Idempotency-Key {request.key!r} was used for another body at {claim.claimed_at:%Y-%m-%d %H:%M:%S} UTC; "
            "give each request a key of its own"
        )
    if claim.answer:
        return Pushed(**json.loads(claim.answer)), True
    pushed = _store(client, request, claim)
    pushes.keep_answer(client, **names, answer=json.dumps(asdict(pushed)))
    return pushed, False


def _store(client: Client, request: PushRequest, claim: Claim) -> Pushed:
    from powersense.sources import pushed as records
    from powersense.warehouse.landing import land
    from powersense.warehouse.quarantine import quarantine

    points, faults = _judge(client, request, claim)
    _begin(client, request, claim, points)
    stamps = {"publisher": request.publisher, "source": request.source, "run_id": request.run_id}
    frame = records.landing_rows(points, **stamps, retrieved_at=claim.claimed_at)
    set_aside = records.set_aside(faults, request.records, origin=request.publisher, run_id=request.run_id)
    batch: Batch = {
        "batch_id": request.batch_id,
        "records_seen": len(request.records),
        "rows_quarantined": quarantine(client, set_aside) if faults else 0,
        "rows_landed": land(client, frame, batch_id=request.batch_id),
    }
    stored = store_all(client, [batch])
    new = stored["rows_new"] + stored["rows_revised"]
    return Pushed(
        batch_id=request.batch_id,
        received=len(request.records),
        new_versions=new,
        unchanged=len(request.records) - len(faults) - new,
        quarantined=len(faults),
        problems=[
            {"field": fault.field, "value": fault.value, "remedy": fault.remedy, "reason": str(fault.reason)}
            for fault in faults[:MAX_PROBLEMS]
        ],
    )


def _judge(client: Client, request: PushRequest, claim: Claim) -> tuple[list[Point], list[Fault]]:
    """Tell what is stored from what is set aside."""
    from powersense.settings import get_settings
    from powersense.sources.catalogue import load_catalogue
    from powersense.sources.pushed import read_points, reserved_metrics, settle
    from powersense.warehouse.pushes import owners_other_than

    reserved = reserved_metrics(load_catalogue(get_settings().powersense_sources_file).values())
    points, faults = read_points(request.records, now=claim.claimed_at, reserved=reserved)
    owners = owners_other_than(client, request.publisher, {(point.metric, point.area) for point in points})
    kept, more = settle(points, owners=owners)
    return kept, sorted([*faults, *more], key=lambda fault: fault.index)


def _begin(client: Client, request: PushRequest, claim: Claim, points: Sequence[Point]) -> None:
    from powersense.warehouse.runs import start_run

    instants = [point.observed_at for point in points] or [claim.claimed_at]
    start_run(
        client,
        batch_id=request.batch_id,
        run_id=request.run_id,
        dag_id=API,
        source=request.publisher,
        window_start=min(instants),
        window_end=max(instants) + timedelta(seconds=1),
    )
