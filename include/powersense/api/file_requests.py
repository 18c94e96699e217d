"""Bodies of the routes of file ingestions, checked so that each fault is named where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from powersense.api.json_body import read_json_body
from powersense.api.problems import FieldProblem, ProblemError
from powersense.files.declaration import Ingestion

# A declaration with two thousand columns takes some 200 kB.
_MAX_BYTES = 1_048_576
_MAX_SHOWN = 200
_MAX_PROBLEMS = 20

Body = TypeVar("Body", bound=BaseModel)


class RunRequest(BaseModel):
    """What `POST …/runs` takes: whether the run shall only tell what it would load."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dry_run: bool = False


class ReleaseRequest(BaseModel):
    """What `POST …/files/release` takes: the path of a file as `GET …/files` shows it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(min_length=1, max_length=4_096)


async def read_declaration(request: Request) -> Ingestion:
    """Return the declaration in a body (FastAPI dependency); at `/{name}` the body may leave the name out.

    Raises:
        ProblemError: 413 and 415 as `read_json_body`, 422 for a declaration that says something wrong.
    """
    name = request.path_params.get("name")
    given = await _read_object(request)
    if name is not None and given.setdefault("name", name) != name:
        remedy = f"the address says {name!r}; an ingestion keeps its name, declare another one instead"
        raise _invalid([{"field": "name", "value": str(given["name"])[:_MAX_SHOWN], "remedy": remedy}])
    return _checked(Ingestion, given)


async def read_run_request(request: Request) -> RunRequest:
    """Return the wish in a body (FastAPI dependency); raises as `read_declaration`."""
    return _checked(RunRequest, await _read_object(request))


async def read_release(request: Request) -> ReleaseRequest:
    """Return the path in a body (FastAPI dependency); raises as `read_declaration`."""
    return _checked(ReleaseRequest, await _read_object(request))


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return how a route's documentation describes a body that the route reads itself."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return inlined(definitions[part["$ref"].rpartition("/")[2]])
            # The mapping of a discriminator names definitions; each alternative says its kind itself.
            return {key: inlined(value) for key, value in part.items() if key != "discriminator"}
        return [inlined(value) for value in part] if isinstance(part, list) else part

    return {"requestBody": {"required": True, "content": {"application/json": {"schema": inlined(schema)}}}}


async def _read_object(request: Request) -> dict[str, Any]:
    import orjson

    body = await read_json_body(request, limit=_MAX_BYTES, remedy="; a declaration takes a few kilobytes.")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The body is not JSON: {error}.") from error
    if not isinstance(given, dict):
        raise _invalid([{"field": "body", "value": str(given)[:_MAX_SHOWN], "remedy": "give an object: {…}"}])
    return given


def _checked(model: type[Body], given: dict[str, Any]) -> Body:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _invalid([_problem(item) for item in error.errors(include_url=False)[:_MAX_PROBLEMS]]) from error


def _problem(item: Any) -> FieldProblem:
    """Return a fault as people read it: `target.columns[2].type`, without the tags of the schema's unions."""
    path = item["loc"]
    if path[:1] == ("target",):
        # What follows is the kind by which pydantic chose among the targets.
        path = path[:1] + path[2:]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    missing = item["type"] == "missing"
    value = None if missing else item.get("input")
    shown = value if isinstance(value, int | float | None) else str(value)[:_MAX_SHOWN]
    remedy = item["msg"].removeprefix("Value error, ")
    return {"field": field or "body", "value": shown, "remedy": "it is missing; give it" if missing else remedy}


def _invalid(problems: Sequence[FieldProblem]) -> ProblemError:
    first = problems[0]
    shown = "" if first["value"] is None else f" is {first['value']!r}"
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{first['field']}{shown}: {first['remedy']}.", fields=problems
    )
