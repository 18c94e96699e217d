"""What people say of episodes: writes to `episode_labels`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.warehouse.scoring import utc
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True)
class Said:
    """A row of `episode_labels` as people see it; `labelled_at` in UTC, by the warehouse's clock."""

    episode_id: str
    label: str
    comment: str
    author: str
    labelled_at: datetime


def say(client: Client, episode_id: str, label: str, *, comment: str, author: str) -> Said | None:
    """Record what someone says of an episode; it counts from now on, in the place of what was said before.

    Saying the same again is recorded too: it speaks of the values that stand now.

    Args:
        client: a writer's.
        episode_id: of the episode, in whatever state.
        label: what it was, in the words of `detection.labels.Label`; `none` takes back what was said.
        comment: why, for people.
        author: who says it.

    Returns:
        What was recorded; None where there is no such episode.
    """
    found = list(client.query(statement("label_target"), parameters={"episode_id": episode_id}).named_results())
    if not found:
        return None
    row = found[0] | {"label": label, "comment": comment, "author": author}
    client.insert("episode_labels", [list(row.values())], column_names=list(row))
    return Said(episode_id, label, comment, author, utc(row["labelled_at"]))
