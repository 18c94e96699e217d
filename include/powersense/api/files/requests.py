"""Bodies of the routes of file ingestions, checked so that each fault is named where it stands."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from powersense.api.model_body import checked, invalid, read_object, reads
from powersense.files.declaration import Ingestion

# A declaration with two thousand columns takes some 200 kB.
_MAX_BYTES = 1_048_576
_MAX_SHOWN = 200


class RunRequest(BaseModel):
    """What `POST …/runs` takes: whether the run shall only tell what it would load."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dry_run: bool = False


class ReleaseRequest(BaseModel):
    """What `POST …/files/release` takes: the path of a file as `GET …/files` shows it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(min_length=1, max_length=4_096)


read_run_request = reads(RunRequest, limit=_MAX_BYTES)
read_release = reads(ReleaseRequest, limit=_MAX_BYTES)


async def read_declaration(request: Request) -> Ingestion:
    """Return the declaration in a body (FastAPI dependency); at `/{name}` the body may leave the name out.

    Raises:
        ProblemError: 413 and 415 as `read_json_body`, 422 for a declaration that says something wrong.
    """
    name = request.path_params.get("name")
    given = await read_object(request, limit=_MAX_BYTES, remedy="; a declaration takes a few kilobytes.")
    if name is not None and given.setdefault("name", name) != name:
        remedy = f"the address says {name!r}; an ingestion keeps its name, declare another one instead"
        raise invalid([{"field": "name", "value": str(given["name"])[:_MAX_SHOWN], "remedy": remedy}])
    return checked(Ingestion, given, path=_without_tags)


def _without_tags(path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out the kind by which pydantic chose among the targets."""
    return path[:1] + path[2:] if path[:1] == ("target",) else path
