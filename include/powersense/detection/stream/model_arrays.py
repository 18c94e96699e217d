"""Arrays of a stored model: to bytes and back, and the check that they are what their model needs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from powersense.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as an npz file, without pickle; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def unpack(content: bytes, *, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file.

    Raises:
        ModelFileError: the file is no npz, or holds objects; it names the file.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, AttributeError, NotImplementedError) as error:
        raise ModelFileError(f"{name}: it is no npz file of a model: {error}; train again") from error


def checked(
    arrays: Mapping[str, NDArray[Any]], dimensions: Mapping[str, int], kinds: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """Return the arrays named in `dimensions`, after checking each one's dimensions, kind and that numbers are finite.

    Raises:
        ModelFileError: one is missing or another; names it.
    """
    found: dict[str, NDArray[Any]] = {}
    for name, count in dimensions.items():
        array = arrays.get(name)
        if array is None or array.ndim != count or array.dtype != np.dtype(kinds[name]):
            said = "missing" if array is None else f"{array.dtype} of {array.ndim} dimensions"
            raise ModelFileError(f"array {name!r} is {said}, not {kinds[name]} of {count} dimensions; train again")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ModelFileError(f"array {name!r} holds values that are not numbers; train again")
        found[name] = array
    return found


def checked_json(
    files: Mapping[str, bytes], name: str, *, format_name: str, fields: Mapping[str, type]
) -> dict[str, Any]:
    """Return the JSON object in a file, after checking its format and that its fields are there and of their kinds.

    Raises:
        ModelFileError: the file is missing, no JSON, of another format, or a field is missing or another.
    """
    try:
        content = json.loads(files[name])
    except KeyError as error:
        raise ModelFileError(f"{name}: the file is missing; train again") from error
    except ValueError as error:
        raise ModelFileError(f"{name}: it is no JSON: {error}; train again") from error
    if not isinstance(content, dict) or content.get("format") != format_name:
        found = content.get("format") if isinstance(content, dict) else content
        raise ModelFileError(f"{name}: its format is {found!r}, not {format_name!r}; train again")
    wrong = [field for field, kind in fields.items() if not isinstance(content.get(field), kind)]
    if wrong:
        raise ModelFileError(f"{name}: field {wrong[0]!r} is {content.get(wrong[0])!r}; train again")
    return content
