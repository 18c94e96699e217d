"""A request's JSON body as a checked model: each fault is named where it stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from powersense.api.json_body import read_json_body
from powersense.api.problems import FieldProblem, ProblemError

Body = TypeVar("Body", bound=BaseModel)

SMALL_BODY_BYTES = 65_536
_MAX_SHOWN = 200
_MAX_PROBLEMS = 20


def reads(model: type[Body], *, limit: int = SMALL_BODY_BYTES) -> Callable[[Request], Awaitable[Body]]:
    """Return the FastAPI dependency that reads a body of at most `limit` bytes as a model.

    The dependency raises ProblemError: 413 and 415 as `read_json_body`, 422 for a body that is not the model.
    """

    async def read(request: Request) -> Body:
        return checked(model, await read_object(request, limit=limit, remedy="; send less."))

    return read


async def read_object(request: Request, *, limit: int, remedy: str) -> dict[str, Any]:
    """Return the object in a body.

    Args:
        request: the request.
        limit: bytes that are taken at most.
        remedy: see `read_json_body`.

    Raises:
        ProblemError: 413 and 415 as `read_json_body`, 422 for a body that is no JSON object.
    """
    return parsed_object(await read_json_body(request, limit=limit, remedy=remedy))


def parsed_object(body: bytes) -> dict[str, Any]:
    """Return the object in a body.

    Raises:
        ProblemError: 422, it is no JSON, or no object.
    """
    import orjson

    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The body is not JSON: {error}.") from error
    if not isinstance(given, dict):
        raise invalid([{"field": "body", "value": str(given)[:_MAX_SHOWN], "remedy": "give an object: {…}"}])
    return given


def checked(
    model: type[Body],
    given: dict[str, Any],
    *,
    path: Callable[[tuple[int | str, ...]], tuple[int | str, ...]] = tuple,
) -> Body:
    """Return an object as a model.

    Args:
        model: what it must be.
        given: the object.
        path: turns pydantic's path of a fault into the one that people know.

    Raises:
        ProblemError: 422, it is none; names up to twenty faults.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)[:_MAX_PROBLEMS]
        raise invalid([_problem(item, path(item["loc"])) for item in found]) from error


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


def invalid(problems: Sequence[FieldProblem]) -> ProblemError:
    """Return the refusal of a body for faults of its fields; there is at least one."""
    first = problems[0]
    shown = "" if first["value"] is None else f" is {first['value']!r}"
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{first['field']}{shown}: {first['remedy']}.", fields=problems
    )


def _problem(item: Any, path: tuple[int | str, ...]) -> FieldProblem:
    """Return a fault as people read it: `target.columns[2].type`."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    missing = item["type"] == "missing"
    value = None if missing else item.get("input")
    shown = value if isinstance(value, int | float | None) else str(value)[:_MAX_SHOWN]
    remedy = item["msg"].removeprefix("Value error, ")
    return {"field": field or "body", "value": shown, "remedy": "it is missing; give it" if missing else remedy}
