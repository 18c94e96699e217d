"""Pushed measurements: who asked what under which idempotency key, and whose a series is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.errors import WarehouseError
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# A claim's token is taken for good, also where the claim itself has expired: then the next one is tried.
_MAX_ATTEMPTS = 20

Series = tuple[str, str]


@dataclass(frozen=True)
class Claim:
    """What stands under a caller's idempotency key.

    Attributes:
        body_sha256: of the body that came first, hexadecimal.
        batch_id: the batch that the body makes.
        claimed_at: when it first came, UTC; the retrieval of its values, however often it is tried.
        answer: as JSON; empty until all is stored.
    """

    body_sha256: str
    batch_id: str
    claimed_at: datetime
    answer: str


def claim(client: Client, *, caller: str, key: str, body_sha256: str, batch_id: str) -> Claim:
    """Claim a key for a body, and return what stands under it: this claim, or an earlier one of any body.

    Compare-and-append, as `landing_log.append`: of several callers at the same time the server keeps one.

    Raises:
        WarehouseError: no claim came to stand: the table has lost its settings.
    """
    name = hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()
    for attempt in range(_MAX_ATTEMPTS):
        found = claimed(client, caller=caller, key=key)
        if found is not None:
            return found
        client.insert(
            "push_requests",
            [[caller, key, body_sha256, batch_id]],
            column_names=["caller", "idempotency_key", "body_sha256", "batch_id"],
            column_type_names=["String"] * 4,
            settings={"insert_deduplication_token": f"push-{name}-{attempt}"},
        )
    raise WarehouseError(f"no claim of an idempotency key of {caller!r} came to stand; try again with another key")


def claimed(client: Client, *, caller: str, key: str) -> Claim | None:
    """Return what stands under a key; None where nothing does, or expired."""
    parameters = {"caller": caller, "idempotency_key": key}
    for row in client.query(statement("push_claimed"), parameters=parameters).result_rows:
        return Claim(*row)
    return None


def keep_answer(client: Client, *, caller: str, key: str, answer: str) -> None:
    """Keep the answer to a claimed request."""
    parameters = {"caller": caller, "idempotency_key": key, "answer": answer}
    client.command(statement("push_answered"), parameters=parameters)


def owners_other_than(client: Client, publisher: str, series: Collection[Series]) -> dict[Series, str]:
    """Return the first publisher of each of these (metric, area) that somebody else published first.

    Args:
        client: a client of any role.
        publisher: whose own series are left out.
        series: pairs of metric and area.
    """
    if not series:
        return {}
    chosen = {
        "metrics": sorted({metric for metric, _ in series}),
        "areas": sorted({area for _, area in series}),
        "publisher": publisher,
    }
    foreign = set(series) & {
        (m, a) for m, a in client.query(statement("series_of_others"), parameters=chosen).result_rows
    }
    if not foreign:
        return {}
    chosen["metrics"] = sorted({metric for metric, _ in foreign})
    first = client.query(statement("series_first_publishers"), parameters=chosen).result_rows
    owners = {(metric, area): who for metric, area, who in first}
    return {one: owners[one] for one in foreign if owners[one] != publisher}
