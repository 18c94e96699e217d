"""Every route of the API, from its OpenAPI description."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from docs_site.text import code, page, table

_METHODS = ("get", "put", "post", "delete", "patch")
_TITLES = {
    "health": "Health",
    "anomalies": "Streaming detection",
    "data": "Data",
    "file ingestions": "File ingestions",
}


def schema() -> dict[str, Any]:
    """Return the OpenAPI description of the app, as `GET /openapi.json` answers it."""
    from powersense.api import URL_PREFIX
    from powersense.api.app import create_app
    from powersense.api.auth import key_access

    described = create_app(key_access([])).openapi()
    return described | {"servers": [{"url": URL_PREFIX}]}


def openapi_json() -> str:
    """Return the description as a file."""
    return json.dumps(schema(), ensure_ascii=False, indent=1)


def api_page() -> str:
    """Return the page of routes."""
    described = schema()
    by_tag: dict[str, list[str]] = defaultdict(list)
    for path, methods in described["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                tag = (operation.get("tags") or ["other"])[0]
                by_tag[tag].append(_route(method, path, operation, described))
    parts = [
        f"Version {described['info']['version']}, below `{described['servers'][0]['url']}`. How to call it, keys, "
        "formats and limits: [the API](../api.md). The description that clients are generated from: "
        "[openapi.json](openapi.json), or `GET /openapi.json` of a running service.",
    ]
    for tag, routes in by_tag.items():
        parts += [f"## {_TITLES.get(tag, tag.capitalize())}", *routes]
    return page("HTTP API", *parts)


def _route(method: str, path: str, operation: dict[str, Any], described: dict[str, Any]) -> str:
    parameters = [
        (code(item["name"]), item["in"], _kind(item.get("schema", {}), described), item.get("description", ""))
        for item in operation.get("parameters", [])
    ]
    about = operation.get("description") or operation.get("summary", "")
    parts = [f"### `{method.upper()} {path}`", about]
    if parameters:
        parts.append(table(("parameter", "in", "type", "meaning"), parameters))
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    listed = [_fields(content.get("schema", {}), described) for content in bodies]
    parts += [table(("field of the body", "type", "meaning"), fields) for fields in listed if fields]
    responses = operation.get("responses", {})
    answers = [f"{code(status)} {_about_answer(status, answer)}".strip() for status, answer in responses.items()]
    parts.append(f"Answers: {', '.join(answers)}.")
    if names := _answered(responses, described):
        parts.append(f"Fields of the answer: {', '.join(names)}.")
    return "\n\n".join(parts)


def _about_answer(status: str, answer: dict[str, Any]) -> str:
    """Return what is said of an answer; errors are explained once, and success needs no word."""
    about = str(answer.get("description", "")).rstrip(".")
    return about[:1].lower() + about[1:] if status.startswith("2") and about != "Successful Response" else ""


def _answered(responses: dict[str, Any], described: dict[str, Any]) -> list[str]:
    """Return the fields of a JSON answer's row: of an item where it is a page, else of the answer."""
    for status, answer in responses.items():
        schema_of = answer.get("content", {}).get("application/json", {}).get("schema")
        if not status.startswith("2") or not schema_of:
            continue
        row = _resolved(schema_of, described)
        row = row.get("properties", {}).get("items", row)
        row = _resolved(row.get("items", row), described)
        return [f"{code(name)} ({_kind(item, described)})" for name, item in row.get("properties", {}).items()]
    return []


def _fields(part: dict[str, Any], described: dict[str, Any], *, within: str = "") -> list[tuple[str, str, str]]:
    """Return the fields of a body, and those of the rows that it lists."""
    part = _resolved(part, described)
    required = part.get("required", [])
    rows = []
    for name, item in part.get("properties", {}).items():
        optional = "" if name in required else " (optional)"
        rows.append((code(within + name) + optional, _kind(item, described), item.get("description", "")))
        if item.get("type") == "array":
            rows += _fields(item.get("items", {}), described, within=f"{name}[].")
    return rows


def _resolved(part: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref", "")
    return described["components"]["schemas"][reference.rsplit("/", 1)[-1]] if reference else part


def _kind(part: dict[str, Any], described: dict[str, Any]) -> str:
    """Return a schema in a few words.

    >>> _kind({"type": "integer", "minimum": 1, "maximum": 9, "default": 3}, {})
    'integer, 1 to 9, default `3`'
    """
    if "$ref" in part:
        name = part["$ref"].rsplit("/", 1)[-1]
        target = _resolved(part, described)
        return _kind(target, described) if "enum" in target else name
    if "anyOf" in part:
        kinds = [_kind(item, described) for item in part["anyOf"] if item.get("type") != "null"]
        words = " or ".join(dict.fromkeys(kinds))
    elif part.get("enum"):
        words = ", ".join(code(str(value)) for value in part["enum"])
    elif part.get("type") == "array":
        words = f"list of {_kind(part.get('items', {}), described)}"
    else:
        words = part.get("format") or part.get("type", "any")
    least, most = part.get("minimum"), part.get("maximum")
    if least is not None and most is not None:
        words += f", {least:,} to {most:,}"
    if part.get("default") not in (None, [], ""):
        words += f", default {code(str(part['default']))}"
    return words
