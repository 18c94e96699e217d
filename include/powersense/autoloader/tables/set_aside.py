"""Records of a file that are set aside: counted, kept in `quarantine` with their reason, bounded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powersense.contracts import QuarantineReason
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import StoredFile

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Beyond so many, or where nothing else is in it, the file is wrong and not its records.
MAX_RECORDS = 10_000
_LONGEST_TEXT = 10_000
_FIRST_LINE = 500


@dataclass(frozen=True)
class BadRecord:
    """One record: its number in the file, what is wrong, and its content as JSON's value."""

    number: int
    reason: QuarantineReason
    why: str
    content: object

    @property
    def text(self) -> str:
        """Number, reason and content in one line."""
        content = self.content if isinstance(self.content, str) else json.dumps(self.content, ensure_ascii=False)
        return f"record {self.number}: {self.why}: {content}"[:_FIRST_LINE]


@dataclass
class SetAside:
    """What was set aside of one file so far.

    Attributes:
        ingestion: its declaration; `bad_records` says whether anything may be.
        file: where they stood.
        records: in the order of reading.
    """

    ingestion: Ingestion
    file: StoredFile
    records: list[BadRecord] = field(default_factory=list)

    @property
    def first_bad_line(self) -> str:
        """The first of them; empty where there is none."""
        return min(self.records, key=lambda record: record.number).text if self.records else ""

    def add(self, record: BadRecord) -> None:
        """Set one aside.

        Raises:
            FileContentError: the ingestion allows none, or too many are.
        """
        self.records.append(record)
        if self.ingestion.bad_records == "fail":
            raise FileContentError(
                f"{self.file.path}: {record.text}; correct it, or set bad_records to 'quarantine'",
                first_bad_line=record.text,
            )
        if len(self.records) > MAX_RECORDS:
            raise FileContentError(
                f"{self.file.path}: more than {MAX_RECORDS:,} malformed records, the first is {self.first_bad_line}; "
                "check delimiter, encoding and types of the ingestion",
                first_bad_line=self.first_bad_line,
            )

    def refuse_nothing_else(self, rows: int) -> None:
        """Refuse a file that holds malformed records only.

        Raises:
            FileContentError: it does.
        """
        if self.records and not rows:
            raise FileContentError(
                f"{self.file.path}: none of its {len(self.records):,} records is sound, the first is "
                f"{self.first_bad_line}; check delimiter, encoding and types of the ingestion",
                first_bad_line=self.first_bad_line,
            )

    def store(self, client: Client, *, run_id: str) -> int:
        """Store them; return how many. Those that are there already stay."""
        import pandas as pd

        from powersense.sources.set_aside import quarantine_rows
        from powersense.warehouse.quarantine import quarantine

        if not self.records:
            return 0
        texts = [
            json.dumps(
                {"file": self.file.path, "record": record.number, "content": record.content},
                sort_keys=True,
                ensure_ascii=False,
            )[:_LONGEST_TEXT]
            for record in self.records
        ]
        count = len(texts)
        frame = quarantine_rows(
            area=[""] * count,
            observed_at=pd.Series([pd.NaT] * count, dtype="datetime64[s, UTC]"),
            reasons=[record.reason for record in self.records],
            details=[record.why for record in self.records],
            texts=texts,
            origin=f"file:{self.ingestion.name}",
            run_id=run_id,
        )
        quarantine(client, frame)
        return count
