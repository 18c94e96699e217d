"""Where trained models lie: one archive each in object storage, checked before it is read.

An archive is a ZIP of JSON and npz files, none of which can execute code when read. `MODEL_STORE_URL` chooses
the storage: a folder, or whatever Airflow's object storage reaches (`s3://connection@bucket/path`).
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from powersense.errors import ModelFileError
from powersense.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = "powersense-model-1"
_KINDS = (".json", ".npz", ".txt")
# A model is some MB; a file of another size is none of ours, and not worth the memory.
_MAX_BYTES = 256 * 1024 * 1024
# Archives carry no clock, so that the same model has the same checksum.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def store_url() -> str:
    """Return the storage's URL: `MODEL_STORE_URL`, else a folder of the project."""
    configured = get_settings().model_store_url
    if configured:
        return configured.rstrip("/")
    root = os.environ.get("POWERSENSE_PROJECT_ROOT")
    folder = (Path(root) if root else Path(__file__).resolve().parents[2]) / ".powersense" / "models"
    # Not as_uri: the storage takes a path as it is, blanks and accents included.
    return f"file://{folder}"


def save(model_id: str, files: Mapping[str, bytes], *, model: str) -> tuple[str, str]:
    """Store a model's files as one archive; the same model again replaces it.

    Args:
        model_id: names the archive.
        files: by name, from `Forecaster.save` or `TrainedEnsemble.to_files`; JSON, npz or text.
        model: the model's kind.

    Returns:
        The archive's URI and its SHA-256, hexadecimal.

    Raises:
        ModelFileError: a file is of a kind that is not stored.
    """
    refused = sorted(name for name in files if not name.endswith(_KINDS) or name == MANIFEST)
    if refused:
        raise ModelFileError(f"model {model_id}: file {refused[0]!r} is not stored; give {', '.join(_KINDS)}")
    manifest = {"format": FORMAT, "model_id": model_id, "model": model, "files": sorted(files)}
    content = _pack({MANIFEST: json.dumps(manifest).encode(), **files})
    path = _path(f"{store_url()}/{model_id}.zip")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path), hashlib.sha256(content).hexdigest()


def load(uri: str, *, sha256: str, model_id: str) -> dict[str, bytes]:
    """Return a stored model's files by name, after checking that they are what was stored.

    Args:
        uri: of the archive, from `save`.
        sha256: of the archive, from `save`.
        model_id: whose archive it must be.

    Raises:
        ModelFileError: the archive is missing, cannot be read, was changed, or is another model's.
    """
    try:
        path = _path(uri)
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ModelFileError(f"{uri}: {size} bytes is no model of ours; train again")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"{uri}: the file is missing; train again, or restore it") from error
    except OSError as error:
        raise ModelFileError(f"{uri}: the file cannot be read: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelFileError(f"{uri}: its checksum is {found[:12]}…, not {sha256[:12]}… as stored; train again")
    return _unpack(content, uri=uri, model_id=model_id)


def _pack(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), files[name], compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _unpack(content: bytes, *, uri: str, model_id: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise ModelFileError(f"{uri}: its files are larger than a model's; train again")
            files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(files.pop(MANIFEST))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ModelFileError(f"{uri}: it is no archive of a model: {error}") from error
    if manifest.get("format") != FORMAT or manifest.get("model_id") != model_id:
        raise ModelFileError(
            f"{uri}: it holds model {manifest.get('model_id')!r} in format {manifest.get('format')!r}, "
            f"not {model_id!r} in {FORMAT!r}"
        )
    return files


def _path(uri: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(uri)
