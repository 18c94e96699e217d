"""What a declared ingestion must say: where its files are, what they look like, and where their rows go. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FileFormat = Literal[
    "csv",
    "tsv",
    "json",
    "json_each_row",
    "parquet",
    "rte_xls",
    "portal_csv",
    "portal_json",
    "meteo_hourly",
    "meteo_synop",
    "meteo_climatology",
    "meteo_observations",
]
TABLE_FORMATS: tuple[FileFormat, ...] = ("csv", "tsv", "json", "json_each_row", "parquet")
LOAD_FORMATS: tuple[FileFormat, ...] = ("rte_xls", "portal_csv", "portal_json")
WEATHER_FORMATS: tuple[FileFormat, ...] = (
    "meteo_hourly",
    "meteo_synop",
    "meteo_climatology",
    "meteo_observations",
)
SCHEMES = ("file", "s3", "abfs", "gs")

_IDENTIFIER = r"^[a-z][a-z0-9_]{0,62}$"
_DATE_TOKEN = re.compile(r"\{[^}]*\}")
_DATE_TOKENS = {"{yyyy}", "{mm}", "{dd}", "{hh}"}
# Types of ClickHouse that a column of a file may be declared as; nothing that could smuggle a statement.
_TYPE = re.compile(
    r"^(Nullable\(|LowCardinality\()*"
    r"(String|Bool|Date|Date32|UUID|Float32|Float64|U?Int(8|16|32|64)|DateTime(\('[A-Za-z_/+\-0-9]+'\))?"
    r"|DateTime64\(\d(, ?'[A-Za-z_/+\-0-9]+')?\)|Decimal\(\d{1,2}, ?\d{1,2}\))\)*$"
)


class Column(BaseModel):
    """One column of a target table.

    Attributes:
        name: in the table.
        type: ClickHouse's; a value that does not fit it makes its record malformed.
        source: in the file; the same name by default.
        is_required: whether a file without this column is refused under every schema policy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_IDENTIFIER)
    type: str = "Nullable(String)"
    source: str | None = Field(None, min_length=1)
    is_required: bool = False

    @field_validator("type")
    @classmethod
    def _type_is_plain(cls, given: str) -> str:
        if not _TYPE.match(given) or given.count("(") != given.count(")"):
            raise ValueError("no type that a file's column can have; write one like Float64 or Nullable(String)")
        return given

    @property
    def source_name(self) -> str:
        """Name in the file."""
        return self.source or self.name


class TableTarget(BaseModel):
    """A table of its own in `CLICKHOUSE_FILES_DATABASE`, made by the autoloader.

    Attributes:
        kind: `table`.
        table: the view that readers ask; it shows each file's newest loaded content only.
        columns: of the table; empty: as the first file has them (needs schema_policy `evolve`).
        mode: `append` keeps every row of every file; `upsert` shows, of rows with the same key, the one of the file
            that was modified last.
        key: columns that name a record; required for `upsert`, and the table's sorting key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["table"] = "table"
    table: str = Field(pattern=_IDENTIFIER)
    columns: tuple[Column, ...] = ()
    mode: Literal["append", "upsert"] = "append"
    key: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _key_is_there(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError(f"columns {names}: a name stands twice")
        if self.mode == "upsert" and not self.key:
            raise ValueError("mode 'upsert' needs a key: name the columns that tell one record from another")
        unknown = [name for name in self.key if names and name not in names]
        if unknown:
            raise ValueError(f"key {unknown[0]!r} is none of the columns {names}")
        return self


class LedgerTarget(BaseModel):
    """`measurements` or `weather_observations`: rows become versions, by the writer that the API path uses.

    Attributes:
        kind: the table.
        source: a declared source of the catalogue (`sources/catalogue.yaml`, `sources/meteo/weather.yaml`) that says
            what the columns mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["measurements", "weather_observations"]
    source: str = Field(min_length=1)


class CsvOptions(BaseModel):
    """How a delimited file is written.

    Attributes:
        delimiter: one character; TSV has a tab.
        encoding: a Python codec's name.
        has_header: whether the first line names the columns; without, they are the target's, in order.
        decimal: `.` or `,`.
        null_values: texts that mean "no value", beside the empty one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    has_header: bool = True
    decimal: Literal[".", ","] = "."
    null_values: tuple[str, ...] = ()

    @field_validator("encoding")
    @classmethod
    def _codec_exists(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError as error:
            raise ValueError("no such encoding; write one like utf-8, iso-8859-1 or cp1252") from error
        return name


class Limits(BaseModel):
    """What a file may cost at most; beyond it is quarantined, so that no archive can fill a worker.

    Attributes:
        file_bytes: of the file as stored.
        unpacked_bytes: of its content, all members of an archive together.
        unpack_ratio: content to file, above 1 MiB of content.
        archive_members: files in one archive.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_bytes: int = Field(16 * 1024**3, ge=1)
    unpacked_bytes: int = Field(64 * 1024**3, ge=1)
    unpack_ratio: float = Field(200.0, gt=1)
    archive_members: int = Field(1, ge=1)


class Ingestion(BaseModel):
    """One declared ingestion.

    Attributes:
        name: of the ingestion, everywhere.
        description: for people.
        uri: `file:///folder/*.csv`, `s3://bucket/…`, `abfs://container@account/…` or `gs://bucket/…`. `*` stands for
            anything but a slash, `**` for any folders; `{yyyy}`, `{mm}`, `{dd}`, `{hh}` (UTC) for a partition's date.
        connection: Airflow connection with the store's address and credentials; empty for local files and public
            buckets.
        format: of the files.
        compression: `auto` by the name's ending and the first bytes.
        csv: of delimited files.
        target: where rows go.
        schema_policy: what a file's unknown or missing columns do: `fail` refuses the file, `evolve` adds columns,
            `rescue` puts unknown ones into the column `_rescued` (JSON).
        bad_records: what a malformed record does: `quarantine` sets it aside, `fail` refuses the file.
        schedule: cron in UTC; empty: only when triggered.
        pool: `default`, or `high_memory` for files that a worker needs gigabytes for.
        retries: of a task, and attempts at a file before it is quarantined.
        timeout_minutes: of one batch of files.
        batch_files, batch_bytes: how much one task loads at most.
        max_files_per_run: files that one run takes; the others wait for the next.
        partition_lookback_hours: of dated sources, how far back each run lists; 0: everything.
        full_listing_every_hours: how often a dated source is listed in whole all the same, for late files.
        deadline_hours: without a new file for so long an alert is raised; None: never.
        reader: `engine` lets ClickHouse read the store, `worker` streams through the task, `auto` takes the engine
            where it can.
        limits: of one file.
        enabled: whether it is scheduled and may be triggered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_IDENTIFIER)
    description: str = ""
    uri: str
    connection: str = Field("", pattern=r"^[A-Za-z0-9_.\-]{0,200}$")
    format: FileFormat
    compression: Literal["auto", "none", "gz", "xz", "zst", "zip"] = "auto"
    csv: CsvOptions = CsvOptions()
    target: Annotated[TableTarget | LedgerTarget, Field(discriminator="kind")]
    schema_policy: Literal["fail", "evolve", "rescue"] = "fail"
    bad_records: Literal["quarantine", "fail"] = "quarantine"
    schedule: str = ""
    pool: Literal["default", "high_memory"] = "default"
    retries: int = Field(3, ge=0, le=10)
    timeout_minutes: int = Field(60, ge=1, le=24 * 60)
    batch_files: int = Field(200, ge=1, le=10_000)
    batch_bytes: int = Field(2 * 1024**3, ge=1)
    max_files_per_run: int = Field(20_000, ge=1, le=1_000_000)
    partition_lookback_hours: int = Field(72, ge=0)
    full_listing_every_hours: int = Field(24, ge=1)
    deadline_hours: float | None = Field(None, gt=0)
    reader: Literal["auto", "engine", "worker"] = "auto"
    limits: Limits = Limits()
    enabled: bool = True

    @field_validator("uri")
    @classmethod
    def _uri_is_known(cls, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"scheme {parts.scheme!r} is none of {', '.join(SCHEMES)}")
        if parts.query or parts.fragment or "\\" in uri or ".." in parts.path.split("/"):
            raise ValueError("write a plain path with * and ** as wildcards: no '?', no '#', no '\\', no '..'")
        if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
            raise ValueError("a local source is absolute: file:///folder/*.csv")
        if parts.scheme != "file" and not parts.netloc:
            raise ValueError(f"{parts.scheme}:// names no bucket or container")
        unknown = [token for token in _DATE_TOKEN.findall(parts.path) if token not in _DATE_TOKENS]
        if unknown:
            raise ValueError(f"{unknown[0]} is none of {', '.join(sorted(_DATE_TOKENS))}")
        return uri

    @field_validator("schedule")
    @classmethod
    def _schedule_is_cron(cls, schedule: str) -> str:
        if schedule and (len(schedule.split()) != 5 or not croniter.is_valid(schedule)):
            raise ValueError("no cron expression of five fields; write one like '0 6 * * *', or nothing")
        return schedule

    @model_validator(mode="after")
    def _format_fits_target(self) -> Self:
        wanted = {"table": TABLE_FORMATS, "measurements": LOAD_FORMATS, "weather_observations": WEATHER_FORMATS}
        fitting = wanted[self.target.kind]
        if self.format not in fitting:
            raise ValueError(
                f"format {self.format!r} does not lead to {self.target.kind!r}, which takes {', '.join(fitting)}"
            )
        if isinstance(self.target, TableTarget) and not self.target.columns and self.schema_policy != "evolve":
            raise ValueError("a table without declared columns takes them from its files: set schema_policy 'evolve'")
        return self
