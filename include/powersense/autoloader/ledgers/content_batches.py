"""One content of a file as batches of the versioned writer: landed, withdrawn what it lacks, stored."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from powersense.autoloader.ledgers.content import base_name
from powersense.autoloader.ledgers.findings import Findings
from powersense.autoloader.ledgers.piece import Piece
from powersense.files.stored_file import StoredFile
from powersense.warehouse.files.contents import (
    ContentLanding,
    keys_to_withdraw,
    landings_of_file,
    lost_landings,
    metrics_brought,
)
from powersense.warehouse.ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

_PLAIN = re.compile(r"^[A-Za-z0-9_.+/=\-]{1,64}$")
_LONGEST_NAME = 80
# A later content of a file counts as retrieved later, whatever time its store gives it.
_TICK = timedelta(milliseconds=1)


class ContentBatches:
    """Writes one content of a file.

    Args:
        client: a writer's client.
        ledger: the tables.
        ingestion: name of the ingestion.
        file: as listed.
        run_id: stamped on withdrawals.
    """

    def __init__(self, client: Client, ledger: Ledger, *, ingestion: str, file: StoredFile, run_id: str) -> None:
        self._client = client
        self._ledger = ledger
        self._file = file
        self._run_id = run_id
        self._of_ingestion = f"file:{ingestion}:"
        self._of_file = f"{self._of_ingestion}{_digest(file.path)}:"
        # The name is for people; the digest before it keeps two paths apart.
        content = f"{self._of_file}{base_name(file.path)[-_LONGEST_NAME:]}:{_version(file)}"
        self._of_content = (f"{content}#", f"{content}~")
        self._landings = landings_of_file(client, self._of_file, ledger=ledger)
        self._lost = lost_landings(client, self._landings, ledger=ledger)
        self._batch_ids: list[str] = []
        # A batch with a lost landing can never be stored again, so the content starts another.
        lost = sum(one.batch_id.startswith(self._of_content) for one in self._lost)
        self._stem = f"{content}~{lost}#" if lost else f"{content}#"
        self.retrieved_at = self._retrieval()

    @property
    def earlier(self) -> list[ContentLanding]:
        """Landings of the file's other contents."""
        return [one for one in self._landings if not one.batch_id.startswith(self._of_content)]

    def new_metrics(self, findings: Findings) -> list[str]:
        """Return the content's metrics that no file of the ingestion has brought yet for its places and vintages."""
        known = metrics_brought(
            self._client,
            self._of_ingestion,
            places=findings.places,
            vintages=findings.vintages,
            ledger=self._ledger,
        )
        return sorted(findings.metrics - known) if known else []

    def land(self, pieces: Iterable[Piece]) -> int:
        """Land the pieces and set aside their bad records; return how many records these are."""
        from powersense.warehouse.quarantine import quarantine

        self._finish_earlier()
        set_aside = 0
        for piece in pieces:
            set_aside += quarantine(self._client, piece.quarantined)
            self._land(piece.rows, f"{len(self._batch_ids) + 1}")
        return set_aside

    def withdraw(self, findings: Findings) -> int:
        """Land an absent value for each key that only the file's earlier contents held; return how many.

        What was set aside withdraws nothing: a value that cannot be read takes back none that could. So a content with
        records that do not say where they belong withdraws nothing at all.
        """
        earlier = self.earlier
        if not earlier or not self._batch_ids:
            return 0
        if findings.hides_keys:
            logger.warning("%s: a record is unreadable, so no earlier value is withdrawn", self._file.path)
            return 0
        keys = keys_to_withdraw(
            self._client, earlier, prefix=self._of_file, batch_ids=self._batch_ids, ledger=self._ledger
        )
        keys = _without(keys, findings.unsound, columns=["metric", self._ledger.place, "observed_at"])
        if len(keys):
            rows = keys.assign(value=float("nan"), source=base_name(self._file.path), run_id=self._run_id)
            self._land(rows, "withdrawn")
            logger.info("%s: %d values that its newest content lacks are withdrawn", self._file.path, len(keys))
        return len(keys)

    def store(self) -> int:
        """Number all that was landed against what is stored; return how many versions stand because of the content."""
        from powersense.warehouse.measurements import store_batches

        # What an attempt before this one withdrew is this content's doing as well.
        before = [one.batch_id for one in self._landings if one.batch_id.startswith(self._stem)]
        batch_ids = list(dict.fromkeys([*self._batch_ids, *before]))
        if not batch_ids:
            return 0
        counted = store_batches(self._client, batch_ids, ledger=self._ledger)
        return sum(counts.new + counts.revised for counts in counted.values())

    def _finish_earlier(self) -> None:
        """Store what a killed attempt has landed of an earlier content: else its values could not be withdrawn."""
        from powersense.warehouse.measurements import store_batches

        lost = {one.batch_id for one in self._lost}
        waiting = {one.batch_id for one in self.earlier if not one.is_stored and one.row_count} - lost
        if waiting:
            store_batches(self._client, sorted(waiting), ledger=self._ledger)

    def _land(self, rows: pd.DataFrame, part: str) -> None:
        import pandas as pd

        from powersense.warehouse.landing import land

        if rows.empty:
            return
        batch_id = f"{self._stem}{part}"
        at = pd.Timestamp(self.retrieved_at).as_unit("ms")
        land(self._client, rows.assign(retrieved_at=at), batch_id=batch_id, ledger=self._ledger)
        self._batch_ids.append(batch_id)

    def _retrieval(self) -> datetime:
        """Return when the content counts as retrieved: at the file's last change, and after its earlier contents.

        An attempt made again finds the time that the first one took.
        """
        modified_at = min(self._file.modified_at, datetime.now(UTC))
        modified_at = modified_at.replace(microsecond=modified_at.microsecond // 1000 * 1000)
        if not self._landings:
            return modified_at
        last = self._landings[-1]
        if last.batch_id.startswith(self._of_content):
            return last.retrieved_to
        return max(modified_at, last.retrieved_to + _TICK)


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def _version(file: StoredFile) -> str:
    """Return the version as a batch's name may carry it."""
    return file.version if _PLAIN.match(file.version) else _digest(file.version)


def _without(keys: pd.DataFrame, unsound: list[pd.DataFrame], *, columns: list[str]) -> pd.DataFrame:
    """Return the keys that no set-aside value has."""
    import pandas as pd

    if keys.empty or not unsound:
        return keys
    left = pd.MultiIndex.from_frame(keys[columns].astype({"metric": "str", columns[1]: "str"}))
    bad = pd.concat(unsound, ignore_index=True)[columns].astype({"metric": "str", columns[1]: "str"})
    return keys[~left.isin(pd.MultiIndex.from_frame(bad))].reset_index(drop=True)
