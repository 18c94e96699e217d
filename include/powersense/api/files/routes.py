"""File ingestions: declare them, have them run, and see their runs and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Response

from powersense.api.auth import Access, Caller
from powersense.api.data.cursors import bad_cursor, decode_cursor, encode_cursor
from powersense.api.files.answers import (
    DeclaredIngestion,
    FilePage,
    FileRun,
    FileStateName,
    IngestionPage,
    LoadPage,
    OutcomeName,
    PlanPage,
    RequestedRun,
    RunPage,
    declared_answer,
    file_answer,
    ingestion_answer,
    load_answer,
    planned_answer,
    run_answer,
)
from powersense.api.files.requests import (
    ReleaseRequest,
    RunRequest,
    read_declaration,
    read_release,
    read_run_request,
)
from powersense.api.model_body import body_of
from powersense.api.problems import ProblemError, answers
from powersense.errors import SourceDeclarationError
from powersense.files.declaration import Ingestion

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.warehouse.client import Role
    from powersense.warehouse.files.overview import IngestionSummary

_PREFIX = "/file-ingestions"
# Of the column's type.
_MAX_ATTEMPT = 65_535
_CHANGES = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_READS = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)

After = Annotated[str, Query(max_length=8_192, description="`next` of the page before; empty for the first")]
Limit = Annotated[int, Query(ge=1, le=500, description="how many at most")]
RunId = Annotated[str, Query(max_length=500, description="of this run only")]
Path = Annotated[str, Query(max_length=4_096, description="of the file at this path only")]
Containing = Annotated[str, Query(max_length=500, description="a text that the path holds, in upper or lower case")]


def file_routes(access: Access) -> APIRouter:
    """Return the routes below `/file-ingestions`; who may read them is for the app to say."""
    routes = APIRouter(prefix=_PREFIX, tags=["file ingestions"])
    _add_declarations(routes, access)
    _add_runs(routes, access)
    _add_files(routes, access)
    return routes


def _add_declarations(routes: APIRouter, access: Access) -> None:
    takes_declaration = body_of(Ingestion)

    @routes.get("", responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY))
    def ingestions(after: After = "", limit: Limit = 100) -> IngestionPage:
        """List declared ingestions by name: where each stands, its files by state, its newest run."""
        from powersense.warehouse.files import overview as file_overview

        behind = decode_cursor(after, length=1)[0] if after else ""
        with _connected("reader") as client:
            found = file_overview.ingestions(client, after=behind, limit=limit + 1)
        now = datetime.now(UTC)
        items = [ingestion_answer(summary, now=now) for summary in found[:limit]]
        return IngestionPage(items=items, next=encode_cursor(items[-1].name) if len(found) > limit else None)

    @routes.post(
        "",
        status_code=HTTPStatus.CREATED,
        dependencies=[Depends(access.declare)],
        responses=answers(*_CHANGES[1:]),
        openapi_extra=takes_declaration,
    )
    def declare(
        response: Response,
        declaration: Ingestion = Depends(read_declaration),
        caller: Caller = Depends(access.declare),
    ) -> DeclaredIngestion:
        """Declare an ingestion; it runs by its schedule from now on."""
        from powersense.autoloader import declarations

        with _connected("writer") as client:
            declarations.create(client, declaration, changed_by=caller.name)
            response.headers["Location"] = f"{_PREFIX.removeprefix('/')}/{declaration.name}"
            return declared_answer(_known(client, declaration.name), now=datetime.now(UTC))

    @routes.get("/{name}", responses=answers(HTTPStatus.NOT_FOUND))
    def ingestion(name: str) -> DeclaredIngestion:
        """Tell where an ingestion stands, and its whole declaration."""
        with _connected("reader") as client:
            return declared_answer(_known(client, name), now=datetime.now(UTC))

    @routes.put(
        "/{name}",
        dependencies=[Depends(access.declare)],
        responses=answers(*_CHANGES),
        openapi_extra=takes_declaration,
    )
    def replace(
        name: str, declaration: Ingestion = Depends(read_declaration), caller: Caller = Depends(access.declare)
    ) -> DeclaredIngestion:
        """Replace the declaration; what is loaded stays. One from a YAML file is changed in that file."""
        from powersense.autoloader import declarations

        with _connected("writer") as client:
            declarations.replace(client, declaration, changed_by=caller.name)
            return declared_answer(_known(client, name), now=datetime.now(UTC))

    @routes.delete(
        "/{name}",
        status_code=HTTPStatus.NO_CONTENT,
        dependencies=[Depends(access.declare)],
        responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    def delete(name: str, caller: Caller = Depends(access.declare)) -> None:
        """Take the declaration back; rows, runs and files that are there stay."""
        from powersense.autoloader import declarations

        with _connected("writer") as client:
            declarations.delete(client, name, changed_by=caller.name)


def _add_runs(routes: APIRouter, access: Access) -> None:
    @routes.post(
        "/{name}/runs",
        status_code=HTTPStatus.ACCEPTED,
        dependencies=[Depends(access.load)],
        responses=answers(*_CHANGES),
        openapi_extra=body_of(RunRequest),
    )
    def request_run(
        name: str,
        response: Response,
        wish: RunRequest = Depends(read_run_request),
        caller: Caller = Depends(access.load),
    ) -> RequestedRun:
        """Ask for a run; a dry one tells what it would load, and loads nothing."""
        from powersense.autoloader import declarations

        with _connected("writer") as client:
            request_id = declarations.request_run(client, name, dry_run=wish.dry_run, by=caller.name)
        run_id = f"requested__{request_id}"
        response.headers["Location"] = f"runs/{run_id}"
        return RequestedRun(request_id=request_id, run_id=run_id, is_dry_run=wish.dry_run)

    @routes.get("/{name}/runs", responses=answers(*_READS))
    def runs(name: str, after: After = "", limit: Limit = 50) -> RunPage:
        """List an ingestion's runs, the newest first."""
        from powersense.warehouse.files import overview as file_overview

        before = (_instant(after, 2), decode_cursor(after, length=2)[1]) if after else file_overview.NEWEST
        with _connected("reader") as client:
            _known(client, name)
            found = file_overview.runs(client, [name], before=before, limit=limit + 1)
        items = [run_answer(run) for run in found[:limit]]
        last = encode_cursor(items[-1].started_at.isoformat(), items[-1].run_id) if len(found) > limit else None
        return RunPage(items=items, next=last)

    @routes.get("/{name}/runs/{run_id}", responses=answers(*_READS))
    def run(name: str, run_id: str) -> FileRun:
        """Tell what became of one run."""
        from powersense.warehouse.files import overview as file_overview

        with _connected("reader") as client:
            _known(client, name)
            for found in file_overview.runs(client, [name], run_ids=[run_id], limit=1):
                return run_answer(found)
        raise ProblemError(HTTPStatus.NOT_FOUND, f"Ingestion {name!r} has no run {run_id[:500]!r}.")

    @routes.get("/{name}/runs/{run_id}/planned", responses=answers(*_READS))
    def planned(name: str, run_id: str, after: After = "", limit: Limit = 100) -> PlanPage:
        """List what a run found to be loaded, by path: the result of a dry run; kept for 14 days."""
        from powersense.warehouse.files import overview as file_overview

        behind = decode_cursor(after, length=1)[0] if after else ""
        with _connected("reader") as client:
            _known(client, name)
            found = file_overview.planned(client, name, run_id, after=behind, limit=limit + 1)
        items = [planned_answer(file) for file in found[:limit]]
        return PlanPage(items=items, next=encode_cursor(items[-1].path) if len(found) > limit else None)


def _add_files(routes: APIRouter, access: Access) -> None:
    @routes.get("/{name}/files", responses=answers(*_READS))
    def files(
        name: str,
        state: FileStateName | None = None,
        containing: Containing = "",
        after: After = "",
        limit: Limit = 100,
    ) -> FilePage:
        """List an ingestion's files by path: those in a state, or whose path holds a text."""
        from powersense.warehouse.files import overview as file_overview

        behind = decode_cursor(after, length=1)[0] if after else ""
        with _connected("reader") as client:
            _known(client, name)
            found = file_overview.files(
                client, name, state=state or "", containing=containing, after=behind, limit=limit + 1
            )
        items = [file_answer(file) for file in found[:limit]]
        return FilePage(items=items, next=encode_cursor(items[-1].path) if len(found) > limit else None)

    @routes.get("/{name}/loads", responses=answers(*_READS))
    def loads(  # noqa: PLR0913 - one argument a query parameter
        name: str,
        *,
        run_id: RunId = "",
        path: Path = "",
        outcome: OutcomeName | None = None,
        after: After = "",
        limit: Limit = 100,
    ) -> LoadPage:
        """List attempts at files, the newest first: of a run, at one file, or with one outcome."""
        from powersense.warehouse.files import overview as file_overview

        before = (*file_overview.NEWEST, 0)
        if after:
            _, at, attempt = decode_cursor(after, length=3)
            if not attempt.isdecimal() or int(attempt) > _MAX_ATTEMPT:
                raise bad_cursor(after)
            before = (_instant(after, 3), at, int(attempt))
        with _connected("reader") as client:
            _known(client, name)
            found = file_overview.loads(
                client, name, run_id=run_id, path=path, outcome=outcome or "", before=before, limit=limit + 1
            )
        items = [load_answer(load) for load in found[:limit]]
        last = items[-1] if len(found) > limit else None
        return LoadPage(
            items=items, next=last and encode_cursor(last.finished_at.isoformat(), last.path, str(last.attempt))
        )

    @routes.post(
        "/{name}/files/release",
        status_code=HTTPStatus.NO_CONTENT,
        dependencies=[Depends(access.load)],
        responses=answers(*_CHANGES),
        openapi_extra=body_of(ReleaseRequest),
    )
    def release(name: str, wish: ReleaseRequest = Depends(read_release)) -> None:
        """Let a quarantined or failed file be tried again by the next run."""
        from powersense.warehouse.files import states as file_states

        with _connected("writer") as client:
            _known(client, name)
            if not file_states.release(client, ingestion=name, path=wish.path):
                detail = f"{wish.path!r} is neither quarantined nor failed in {name!r}; there is nothing to release."
                raise ProblemError(HTTPStatus.CONFLICT, detail)


@contextmanager
def _connected(role: Role) -> Iterator[Client]:
    """Open a client; what the autoloader refuses becomes an answer.

    Raises:
        ProblemError: 404 for an unknown ingestion, 409 for what cannot be done with it as it stands, 422 for a source
            that the catalogue does not declare.
    """
    from powersense.autoloader.declarations import DeclarationConflictError, UnknownIngestionError
    from powersense.warehouse.client import connect

    try:
        with connect(role) as client:
            yield client
    except UnknownIngestionError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, _sentence(error)) from error
    except DeclarationConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, _sentence(error)) from error
    except SourceDeclarationError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, _sentence(error)) from error


def _known(client: Client, name: str) -> IngestionSummary:
    from powersense.warehouse.files import overview as file_overview

    for summary in file_overview.ingestions(client, name=name, limit=1) if name else []:
        return summary
    raise ProblemError(
        HTTPStatus.NOT_FOUND, f"No ingestion {name[:200]!r} is declared; GET {_PREFIX} lists those that are."
    )


def _instant(cursor: str, length: int) -> datetime:
    """Return the instant that a cursor begins with."""
    try:
        instant = datetime.fromisoformat(decode_cursor(cursor, length=length)[0])
    except ValueError:
        raise bad_cursor(cursor) from None
    if instant.tzinfo is None or not 1970 < instant.year < 2200:
        raise bad_cursor(cursor)
    return instant


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
