"""Declared ingestions, in the table `file_ingestions`: from the folder of YAML files, and from the API."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import ValidationError

from powersense.errors import ConfigurationError
from powersense.files.declaration import Ingestion, LedgerTarget
from powersense.settings import get_settings
from powersense.warehouse.files import declarations as table

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Origin = Literal["yaml", "api"]


class DeclarationError(ConfigurationError):
    """A declaration breaks its contract.

    Attributes:
        fields: per field its dotted place, the value, and the rule that it breaks.
    """

    def __init__(self, message: str, *, fields: list[tuple[str, Any, str]] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or []


class UnknownIngestionError(ConfigurationError):
    """No ingestion of this name is declared."""


class DeclarationConflictError(ConfigurationError):
    """A declaration cannot be changed, or run, as it stands; says why and what to do."""


@dataclass(frozen=True)
class Declared:
    """An ingestion, and how it came to be declared.

    Attributes:
        ingestion: as declared.
        origin: `yaml` (read-only through the API) or `api`.
        changed_by: the user, or the file.
        changed_at: UTC.
    """

    ingestion: Ingestion
    origin: Origin
    changed_by: str
    changed_at: datetime


def parse(given: Mapping[str, Any] | str, *, where: str) -> Ingestion:
    """Check a declaration, a mapping or JSON text.

    Args:
        given: the fields of `Ingestion`.
        where: for the message: a file, or the request's body.

    Raises:
        DeclarationError: names each field, its value and the rule.
    """
    try:
        return Ingestion.model_validate_json(given) if isinstance(given, str) else Ingestion.model_validate(given)
    except ValidationError as error:
        fields = [
            (".".join(str(part) for part in item["loc"]), item.get("input"), item["msg"])
            for item in error.errors(include_url=False, include_context=False)
        ]
        told = "; ".join(f"{name or 'declaration'}={_shown(value)}: {rule}" for name, value, rule in fields)
        raise DeclarationError(f"{where}: {told}. See docs/autoloader.md.", fields=fields) from error


def get(client: Client, name: str) -> Ingestion:
    """Return a declared ingestion, enabled or not.

    Raises:
        UnknownIngestionError: there is none of this name.
    """
    return get_declared(client, name).ingestion


def get_declared(client: Client, name: str) -> Declared:
    """Return an ingestion with its origin; errors as `get`."""
    for row in table.rows(client, name=name):
        return _declared(row)
    raise UnknownIngestionError(f"no ingestion {name!r} is declared; declare it in a YAML file or through the API")


def all_of(client: Client) -> list[Declared]:
    """Return every declared ingestion, by name."""
    return [_declared(row) for row in table.rows(client)]


def create(client: Client, ingestion: Ingestion, *, changed_by: str) -> None:
    """Declare a new ingestion through the API.

    Raises:
        DeclarationConflictError: the name is taken, or it names local files where the API may not.
    """
    _refuse_local_files(ingestion)
    _check_target(ingestion)
    if any(table.rows(client, name=ingestion.name)):
        raise DeclarationConflictError(f"ingestion {ingestion.name!r} is declared already; replace it, or rename yours")
    _write(client, ingestion, origin="api", changed_by=changed_by)


def replace(client: Client, ingestion: Ingestion, *, changed_by: str) -> None:
    """Replace an ingestion that was declared through the API; the files it has loaded stay known.

    Raises:
        UnknownIngestionError: there is none of this name.
        DeclarationConflictError: it is declared in YAML, it would lead to another target, or it names local files
            where the API may not.
    """
    _refuse_local_files(ingestion)
    _check_target(ingestion)
    before = _writable(client, ingestion.name)
    if (before.target.kind, getattr(before.target, "table", "")) != (
        ingestion.target.kind,
        getattr(ingestion.target, "table", ""),
    ):
        raise DeclarationConflictError(
            f"ingestion {ingestion.name!r} loads into {before.target.kind}; its files would have to be loaded again: "
            "declare a new ingestion for the new target"
        )
    _write(client, ingestion, origin="api", changed_by=changed_by)


def delete(client: Client, name: str, *, changed_by: str) -> None:
    """Take back a declaration of the API; what it loaded, its runs and its files' states stay.

    Raises:
        UnknownIngestionError: there is none of this name.
        DeclarationConflictError: it is declared in YAML.
    """
    _write(client, _writable(client, name), origin="api", changed_by=changed_by, is_deleted=True)


def request_run(client: Client, name: str, *, dry_run: bool, by: str) -> str:
    """Ask for a run; `schedule_file_loads` starts it within a minute as `requested__<request id>`. Returns the id.

    Raises:
        UnknownIngestionError: there is none of this name.
        DeclarationConflictError: it is not enabled.
    """
    ensure_enabled(get(client, name))
    request_id = uuid.uuid4().hex
    table.write_request(
        client, request_id=request_id, ingestion=name, is_dry_run=dry_run, requested_by=by, at=datetime.now(UTC)
    )
    return request_id


def ensure_enabled(ingestion: Ingestion) -> None:
    """Check that an ingestion may run.

    Raises:
        DeclarationConflictError: it is not enabled.
    """
    if not ingestion.enabled:
        raise DeclarationConflictError(f"ingestion {ingestion.name!r} is not enabled; set enabled: true to run it")


def declared_folder() -> Path:
    """Return the folder of YAML declarations: `FILE_INGESTIONS_FOLDER`, or `include/file_ingestions` of the project."""
    chosen = get_settings().file_ingestions_folder
    if chosen:
        return Path(chosen)
    root = os.environ.get("POWERSENSE_PROJECT_ROOT")
    return (Path(root) / "include" if root else Path(__file__).resolve().parents[2]) / "file_ingestions"


def read_yaml(path: Path) -> Ingestion:
    """Read one YAML declaration, named as its file.

    Raises:
        DeclarationError: it cannot be read, breaks the contract, or has another name than its file.
        SourceDeclarationError: its target names a source that is not declared, or of another format.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DeclarationError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(document, dict):
        raise DeclarationError(f"{path} must be a mapping, one declaration a file; see docs/autoloader.md")
    ingestion = parse({"name": path.stem} | document, where=str(path))
    if ingestion.name != path.stem:
        raise DeclarationError(f"{path}: name={ingestion.name!r} is not the file's; rename one of the two")
    _check_target(ingestion)
    return ingestion


def sync_yaml(client: Client, *, folder: Path | None = None) -> dict[str, int]:
    """Bring the table up to the folder: new and changed declarations are written, those without a file deleted.

    One wrong file keeps none of the others out: its ingestion stays as it was, and the error comes at the end.

    Returns:
        Counts `declared` (files), `written` and `deleted`.

    Raises:
        ConfigurationError: files that are wrong, or whose name the API has taken; names all of them.
    """
    folder = folder or declared_folder()
    known = {row["ingestion"]: _declared(row) for row in table.rows(client)}
    paths = sorted(folder.glob("*.yaml"))
    counts, problems = {"declared": len(paths), "written": 0, "deleted": 0}, []
    for path in paths:
        try:
            ingestion = read_yaml(path)
            before = known.get(ingestion.name)
            if before and before.origin == "api":
                raise DeclarationConflictError(
                    f"{path}: the name {ingestion.name!r} is taken by a declaration of the API; delete it, or rename"
                )
            if before is None or before.ingestion != ingestion:
                _write(client, ingestion, origin="yaml", changed_by=path.name)
                counts["written"] += 1
        except ConfigurationError as error:
            problems.append(str(error))
    stems = {path.stem for path in paths}
    for declared in known.values():
        if declared.origin == "yaml" and declared.ingestion.name not in stems:
            _write(client, declared.ingestion, origin="yaml", changed_by="file removed", is_deleted=True)
            counts["deleted"] += 1
    if problems:
        raise ConfigurationError("\n".join(problems))
    return counts


def _check_target(ingestion: Ingestion) -> None:
    """Check that a ledger's source is declared; see `ledgers.check_target`."""
    if isinstance(ingestion.target, LedgerTarget):
        from powersense.autoloader.ledgers import check_target

        check_target(ingestion)


def _refuse_local_files(ingestion: Ingestion) -> None:
    """Refuse a local source of the API where no folder is set free for it; `open_store` checks the folder itself."""
    if ingestion.uri.startswith("file:") and not get_settings().file_source_folders:
        raise DeclarationConflictError(
            f"uri={ingestion.uri!r}: the API may not name local files; set FILE_SOURCE_FOLDERS, or declare it in YAML"
        )


def _writable(client: Client, name: str) -> Ingestion:
    declared = get_declared(client, name)
    if declared.origin == "yaml":
        raise DeclarationConflictError(
            f"ingestion {name!r} is declared in {declared.changed_by}; change that file, the API cannot"
        )
    return declared.ingestion


def _write(client: Client, ingestion: Ingestion, *, origin: Origin, changed_by: str, is_deleted: bool = False) -> None:
    table.write(
        client,
        ingestion=ingestion.name,
        declaration=ingestion.model_dump_json(),
        origin=origin,
        is_enabled=ingestion.enabled,
        is_deleted=is_deleted,
        changed_by=changed_by,
    )


def _declared(row: Mapping[str, Any]) -> Declared:
    ingestion = parse(row["declaration"], where=f"file_ingestions, {row['ingestion']!r}")
    return Declared(ingestion, row["origin"], row["changed_by"], row["changed_at"])


def _shown(value: Any) -> str:
    # What is given can be as large as a request's body.
    return repr(value)[:200]
