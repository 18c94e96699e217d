"""Files of a stored model: JSON and arrays, formats that cannot execute code when read."""

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

FORMAT = 1
META = "model.json"
ARRAYS = "arrays.npz"
_REMEDY = "train it again"


def pack(name: str, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Return the files of a model: `model.json` with its name, format and facts, `arrays.npz` with its numbers."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    text = json.dumps({"model": name, "format": FORMAT, **meta}, sort_keys=True, ensure_ascii=False)
    return {META: text.encode(), ARRAYS: buffer.getvalue()}


def unpack(name: str, files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the facts and arrays of a model's files.

    Raises:
        ModelFileError: a file is missing or corrupt, or the files are of another model or format.
    """
    missing = {META, ARRAYS} - set(files)
    if missing:
        raise ModelFileError(f"model {name!r}: {sorted(missing)} missing; {_REMEDY}")
    try:
        meta = json.loads(files[META])
        with np.load(io.BytesIO(files[ARRAYS]), allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"model {name!r}: its files cannot be read ({error}); {_REMEDY}") from error
    if not isinstance(meta, dict) or meta.get("model") != name or meta.get("format") != FORMAT:
        found = meta.get("model"), meta.get("format") if isinstance(meta, dict) else None
        raise ModelFileError(f"model {name!r} in format {FORMAT} is expected, the files hold {found}; {_REMEDY}")
    return meta, arrays


def array(name: str, arrays: Mapping[str, NDArray[Any]], key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return one array of finite floats of a known shape; -1 admits any length.

    Raises:
        ModelFileError: it is missing, of another shape, or not finite.
    """
    found = arrays.get(key)
    held = None if found is None else found.shape
    if found is None or not _fits(shape, found.shape):
        raise ModelFileError(f"model {name!r}: array {key!r} should have shape {shape}, has {held}; {_REMEDY}")
    if found.dtype.kind != "f" or not np.isfinite(found).all():
        raise ModelFileError(f"model {name!r}: array {key!r} holds values that are not finite numbers; {_REMEDY}")
    return np.asarray(found, dtype=np.float64)


def _fits(shape: tuple[int, ...], found: tuple[int, ...]) -> bool:
    return len(shape) == len(found) and all(wanted in (-1, size) for wanted, size in zip(shape, found, strict=True))
