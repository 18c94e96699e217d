"""Files in folders of this machine, or of what is mounted there."""

from __future__ import annotations

import io
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO, cast

import pyarrow as pa

from powersense.errors import ConfigurationError, FileChangedError, StoreAccessError, StoreError
from powersense.files.stored_file import StoredFile
from powersense.settings import Settings
from powersense.sources.file_patterns import FilePattern
from powersense.sources.object_stores.interface import EngineSource, is_plain
from powersense.sources.object_stores.pages import PAGE_ROWS, page_of, page_of_columns

logger = logging.getLogger(__name__)

# Files of the kernel, not of people: the environment of this process is among them.
_NEVER = ("/proc", "/sys", "/dev")
_BUFFER_BYTES = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FolderStore:
    """Regular files under the folder that a pattern begins with.

    Links to folders are not entered, and a link to a file is read only if it leads to a file under that folder: what
    lies elsewhere was not declared. A file that is being written is loaded once its size and time stay the same while
    it is read, and loaded anew when they changed later; whoever renames a finished file into place avoids both.

    Args:
        pattern: of the ingestion; its prefix is the root that links may not leave.
        settings: `FILE_SOURCE_FOLDERS` limits which folders may be read at all.

    Raises:
        ConfigurationError: the folder may not be read.
    """

    base = "file://"

    def __init__(self, pattern: FilePattern, *, settings: Settings) -> None:
        self._levels = pattern.folder_levels
        folder = "/" + pattern.prefix
        self._declared = folder if folder.endswith("/") else os.path.dirname(folder) + "/"
        self._root = os.path.realpath(self._declared)
        self._root_depth = pattern.prefix.count("/")
        _refuse_forbidden(self._declared, self._root, settings=settings)

    def list_pages(self, prefix: str) -> Iterator[pa.Table]:
        """See FileStore."""
        if prefix and not prefix.endswith("/"):
            try:
                yield page_of([self.stat(prefix)])
            except FileChangedError:
                return
            return
        found = self._walk("/" + prefix)
        while page := list(islice(found, PAGE_ROWS)):
            paths, statuses = zip(*page, strict=True)
            yield page_of_columns(
                list(paths),
                [status.st_size for status in statuses],
                [status.st_mtime_ns // 1_000 for status in statuses],
            )

    def stat(self, path: str) -> StoredFile:
        """See FileStore."""
        with _answering(path):
            return _stored(path, os.stat(self._real(path)))

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """See FileStore."""
        with _answering(file.path):
            # Links were followed already: one that appears since then is not.
            descriptor = os.open(self._real(file.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with io.BufferedReader(_RawFile(descriptor, file.path), _BUFFER_BYTES) as stream:
            _refuse_other(file, os.fstat(stream.fileno()))
            yield cast(BinaryIO, stream)
            _refuse_other(file, os.fstat(stream.fileno()))

    def first_bytes(self, file: StoredFile, count: int) -> bytes:
        """See FileStore."""
        with self.open(file) as stream:
            return stream.read(count)

    def engine_source(self, file: StoredFile) -> EngineSource | None:
        """See FileStore."""
        if not is_plain(file.path):
            return None
        return EngineSource("file", "{_path:String}", {"_path": "/" + file.path})

    def _walk(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the files below a folder, as deep as the pattern reaches."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            try:
                entries = os.scandir(here)
            except (FileNotFoundError, NotADirectoryError) as error:
                if os.path.isdir(self._root):
                    continue  # a day without files, or a folder that was removed meanwhile
                raise StoreAccessError(
                    f"folder {self._declared!r} is not there; make or mount it, or correct the ingestion's uri"
                ) from error
            except OSError as error:
                raise StoreAccessError(
                    f"folder {here!r} cannot be listed: {error.strerror}. Let the worker's user read it, or correct "
                    "the ingestion's uri."
                ) from error
            with entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if self._levels is None or entry.path.count("/") - self._root_depth <= self._levels:
                            waiting.append(entry.path + "/")
                        continue
                    status = self._status(entry)
                    if status is not None:
                        yield entry.path[1:], status

    def _status(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        """Return the status of an entry that is a file and may be read, else None."""
        try:
            entry.path.encode()
            if entry.is_symlink():
                if entry.is_dir():
                    return None
                status = os.stat(self._real(entry.path[1:]))
            else:
                status = entry.stat(follow_symlinks=False)
        except UnicodeEncodeError:
            logger.warning("Left out %r: its name is not UTF-8; rename it", entry.path)
            return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, StoreAccessError) as error:
            logger.warning("Left out %r: %s", entry.path, error)
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _real(self, path: str) -> str:
        """Return where a file lies, links followed, which must be under the root.

        Raises:
            StoreAccessError: it does not, or is no regular file.
        """
        real = os.path.realpath("/" + path)
        if not _is_inside(real, self._root):
            raise StoreAccessError(
                f"file '/{path}' is a link that leaves {self._declared!r}; put the file itself there, or declare the "
                "folder where it is"
            )
        if not stat.S_ISREG(os.stat(real).st_mode):
            raise StoreAccessError(f"'/{path}' is no regular file; declare a uri that matches files only")
        return real


class _RawFile(io.FileIO):
    """An open file whose failures name it."""

    def __init__(self, descriptor: int, path: str) -> None:
        super().__init__(descriptor, "rb")
        self._path = path

    def readinto(self, buffer: Any, /) -> int:
        with _answering(self._path):
            return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        with _answering(self._path):
            return super().readall()


def _stored(path: str, status: os.stat_result) -> StoredFile:
    modified_at = _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1_000)
    return StoredFile(path, status.st_size, modified_at)


def _refuse_other(file: StoredFile, status: os.stat_result) -> None:
    """Refuse a file that is not what was listed.

    Raises:
        FileChangedError: its size or time differ.
    """
    now = _stored(file.path, status)
    if now.version != file.version:
        raise FileChangedError(
            f"file '/{file.path}' changed since it was listed ({file.version} → {now.version}); the next run loads it"
        )


@contextmanager
def _answering(path: str) -> Iterator[None]:
    """Turn what the system says of a file into the error that says what to do."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileChangedError(f"file '/{path}' is gone since it was listed") from error
    except PermissionError as error:
        raise StoreAccessError(f"file '/{path}' may not be read: let the worker's user read it") from error
    except OSError as error:
        raise StoreError(f"file '/{path}' cannot be read: {error.strerror}. Check the disk or the mount.") from error


def _refuse_forbidden(declared: str, root: str, *, settings: Settings) -> None:
    """Refuse a folder that may not be a source.

    Raises:
        ConfigurationError: it is the kernel's, or outside FILE_SOURCE_FOLDERS.
    """
    if any(_is_inside(root, folder) for folder in _NEVER):
        raise ConfigurationError(
            f"uri 'file://{declared}': {', '.join(_NEVER)} hold no data files; declare another folder"
        )
    allowed = [os.path.realpath(folder) for folder in settings.file_source_folders.split(":") if folder]
    if allowed and not any(_is_inside(root, folder) for folder in allowed):
        raise ConfigurationError(
            f"uri 'file://{declared}' is in none of FILE_SOURCE_FOLDERS={settings.file_source_folders}; move the files "
            "there, or add the folder"
        )


def _is_inside(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
