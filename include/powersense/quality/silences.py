"""Windows in which nobody is told of some alerts: rows of table `alert_silences`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A window over rules and areas; which alerts lie below it is the view `alerts_with_silence`'s to say.

    Attributes:
        rules: ids; empty for all.
        areas: names; empty for all, and for alerts without one. A silence of areas leaves those without one alone.
        starts_at: UTC. `ends_at` is exclusive; before it starts it can be ended too, and then lasts no time.
        author: who made it. `ended_by` is who ended it early, empty otherwise.
    """

    rules: Sequence[str]
    areas: Sequence[str]
    starts_at: datetime
    ends_at: datetime
    reason: str
    author: str
    created_at: datetime
    ended_by: str = ""
    silence_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])


_COLUMNS = tuple(field.name for field in fields(Silence))


def ended(silence: Silence, *, by: str, now: datetime) -> Silence:
    """Return a silence as it is once ended at `now` (UTC); one that is over stays as it is."""
    if silence.ends_at <= max(now, silence.starts_at):
        return silence
    return replace(silence, ends_at=max(now, silence.starts_at), ended_by=by)


def store_silence(client: Client, silence: Silence) -> None:
    """Write the present state of a silence; the newest row of an id counts."""
    row = [asdict(silence)[column] for column in _COLUMNS]
    client.insert("alert_silences", [row], column_names=_COLUMNS, settings={"insert_deduplicate": 0})
