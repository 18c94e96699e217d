"""The body of `POST /anomalies/train`: read within limits, and checked so that each fault is named where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

from anyio import to_thread
from fastapi import Request

from powersense.api.json_body import read_json_body
from powersense.api.problems import FieldProblem, ProblemError
from powersense.settings import get_settings
from powersense.streaming.training import Rows

MAX_FEATURES = 256
_MAX_NAME = 200
_MAX_PROBLEMS = 20
_FIELDS = ("data", "feature_names", "scope", "asset_id", "series", "models")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["data", "feature_names"],
    "additionalProperties": False,
    "properties": {
        "data": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "items": {"type": "number"}},
            "description": "Rows of usual behaviour: one number per feature. Rows of one series stand in time order.",
        },
        "feature_names": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": _MAX_NAME},
            "minItems": 1,
            "maxItems": MAX_FEATURES,
            "uniqueItems": True,
        },
        "scope": {"type": "string", "description": "The asset that the ensemble scores alone; empty: all others"},
        "asset_id": {"type": "string", "description": "The same as scope"},
        "series": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Per row, which series it belongs to, such as asset/sensor; without it all are one",
        },
        "models": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Default: all"},
    },
}


async def read_training_request(request: Request) -> Rows:
    """Return the request's body, checked (FastAPI dependency).

    It reads the body itself: FastAPI would read one that it declares before it asks who is calling.

    Raises:
        ProblemError: 413 for too many bytes or rows, 415 for another type than JSON, 422 for what cannot be learnt
            from; names field, value and remedy.
    """
    body = await read_json_body(
        request,
        limit=get_settings().stream_train_max_bytes,
        remedy="(STREAM_TRAIN_MAX_BYTES). Send a sample of the rows.",
    )
    return await to_thread.run_sync(parse, body)


def parse(body: bytes) -> Rows:
    """Check a body.

    Raises:
        ProblemError: see `read_training_request`.
    """
    import orjson

    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The body is not JSON: {error}. NaN and Infinity are not: leave such rows out.",
        ) from error
    if not isinstance(given, dict):
        raise _invalid([_wrong("body", type(given).__name__, 'give an object: {"data": …, "feature_names": …}')])
    rows = given.get("data")
    limit = get_settings().stream_train_max_rows
    if isinstance(rows, list) and len(rows) > limit:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"data has {len(rows)} rows; at most {limit} are taken (STREAM_TRAIN_MAX_ROWS). Send a sample of them.",
        )
    problems = list(islice(_problems(given), _MAX_PROBLEMS))
    if problems:
        raise _invalid(problems)
    scope = given.get("scope") or given.get("asset_id") or ""
    return Rows(given["data"], given["feature_names"], scope, given.get("series"), given.get("models"))


def _problems(given: dict[str, Any]) -> Iterator[FieldProblem]:
    for name in sorted(set(given) - set(_FIELDS)):
        yield _wrong(name, given[name], f"there is no such field; the fields are {', '.join(_FIELDS)}")
    yield from _of_features(given.get("feature_names"))
    yield from _of_data(given.get("data"), given.get("feature_names"))
    yield from _of_scope(given)
    yield from _of_series(given.get("series"), given.get("data"))
    yield from _of_models(given.get("models"))


def _of_features(names: Any) -> Iterator[FieldProblem]:
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_FEATURES:
        yield _wrong("feature_names", names, f"give a list of 1 to {MAX_FEATURES} names, one per column of data")
        return
    seen = set()
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME:
            yield _wrong(f"feature_names[{index}]", name, f"give a text of 1 to {_MAX_NAME} characters")
        elif name in seen:
            yield _wrong(f"feature_names[{index}]", name, "it stands twice; give each column a name of its own")
        else:
            seen.add(name)


def _of_data(rows: Any, names: Any) -> Iterator[FieldProblem]:
    if not isinstance(rows, list) or not rows:
        yield _wrong("data", rows, "give a list of rows, each a list of numbers")
        return
    width = len(names) if isinstance(names, list) else None
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            yield _wrong(f"data[{index}]", row, "give a list of numbers")
        elif width is not None and len(row) != width:
            yield _wrong(f"data[{index}]", f"{len(row)} values", f"give {width} values, one per feature name")
        else:
            yield from _of_row(index, row)


def _of_row(index: int, row: Sequence[Any]) -> Iterator[FieldProblem]:
    for column, value in enumerate(row):
        # By exact type, since True is an int.
        if type(value) not in (float, int) or not math.isfinite(value):
            remedy = "give a finite number; leave rows with unknown values out"
            yield _wrong(f"data[{index}][{column}]", value, remedy)


def _of_scope(given: dict[str, Any]) -> Iterator[FieldProblem]:
    for name in ("scope", "asset_id"):
        value = given.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > _MAX_NAME):
            yield _wrong(name, value, f"give an asset's id of at most {_MAX_NAME} characters, or leave it out")
    scope, asset_id = given.get("scope"), given.get("asset_id")
    if scope and asset_id and scope != asset_id:
        yield _wrong("asset_id", asset_id, f"scope says {scope!r}; give one of the two")


def _of_series(series: Any, rows: Any) -> Iterator[FieldProblem]:
    if series is None:
        return
    if not isinstance(series, list) or not all(isinstance(name, str) for name in series):
        yield _wrong("series", series, "give a list of texts, one per row of data")
    elif isinstance(rows, list) and len(series) != len(rows):
        yield _wrong("series", f"{len(series)} texts", f"give {len(rows)}, one per row of data")


def _of_models(models: Any) -> Iterator[FieldProblem]:
    """Check the list's form; whether there are such models, training knows."""
    if models is None:
        return
    if not isinstance(models, list) or not models or not all(isinstance(name, str) for name in models):
        yield _wrong("models", models, "give names of models, or leave it out for all")
    elif len(set(models)) < len(models):
        yield _wrong("models", models, "a name stands twice; name each model once")


def _wrong(field: str, value: Any, remedy: str) -> FieldProblem:
    # Values can be as large as the body.
    shown = value if isinstance(value, int | float | None) else str(value)[:_MAX_NAME]
    return {"field": field, "value": shown, "remedy": remedy}


def _invalid(problems: Sequence[FieldProblem]) -> ProblemError:
    first = problems[0]
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{first['field']} is {first['value']!r}: {first['remedy']}.",
        fields=problems,
    )
