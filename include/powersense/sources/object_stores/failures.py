"""What obstore reports, as errors that say what to do; without addresses, logins or answers in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from powersense.errors import FileChangedError, StoreAccessError, StoreError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9_.]{1,80})\s*</Code>")
_NO_ANSWER = re.compile(r"HTTP error: ([a-z ]{1,80})")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
_TRY_AGAIN = (408, 425, 429)


@contextmanager
def answering(name: str, *, access: str, is_listing: bool = False) -> Iterator[None]:
    """Turn obstore's errors into ours.

    Args:
        name: the file or folder asked for, for the message.
        access: the options that lead there.
        is_listing: whether "not found" means the bucket rather than the file.

    Raises:
        FileChangedError: the file is gone, or is not the listed one any more.
        StoreAccessError: the store refuses, or the bucket is not there, or holds a name that cannot be asked for.
        StoreError: no usable answer after all retries.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        # The original names the whole address, and quotes the answer: neither belongs into a log.
        raise _error_of(error, name, access=access, is_listing=is_listing) from None


def _error_of(
    error: Exception, name: str, *, access: str, is_listing: bool
) -> FileChangedError | StoreAccessError | StoreError:
    from obstore.exceptions import InvalidPathError, PermissionDeniedError, PreconditionError, UnauthenticatedError

    text = str(error)
    status, code = int(_found(_STATUS, text) or 0), _found(_CODE, text)
    told = " ".join(filter(None, [str(status or ""), code]))
    is_missing = isinstance(error, FileNotFoundError) or status == 404
    made: FileChangedError | StoreError
    if isinstance(error, InvalidPathError):
        made = StoreAccessError(
            f"{name}: a name there holds '//', '.' or '..' between slashes, which cannot be asked for; rename it, or "
            "narrow the ingestion's uri"
        )
    elif code in _NO_BUCKET or (is_missing and is_listing):
        made = StoreAccessError(f"{name}: there is no such bucket or container ({told}); correct the uri, or {access}")
    elif is_missing:
        made = FileChangedError(f"{name} is gone since it was listed")
    elif isinstance(error, PreconditionError) or status in (412, 416):
        made = FileChangedError(f"{name} changed since it was listed, or is gone; the next run loads it")
    elif isinstance(error, PermissionDeniedError | UnauthenticatedError) or _is_refusal(status):
        made = StoreAccessError(f"{name}: the store refuses ({told or 'no access'}). Correct {access}{_hint(status)}.")
    elif "token request" in text or "credential" in text.lower():
        made = StoreAccessError(f"{name}: no login could be obtained ({told or 'no answer'}). Correct {access}.")
    else:
        reason = told or _found(_NO_ANSWER, text) or "no answer"
        made = StoreError(
            f"{name}: the store gave no usable answer after all attempts ({reason}). Check the network and {access}; "
            "it is tried again later"
        )
    return made


def _is_refusal(status: int) -> bool:
    return 300 <= status < 500 and status not in _TRY_AGAIN


def _hint(status: int) -> str:
    return ": its region_name or endpoint leads elsewhere" if status in (301, 307, 400) else ", or its rights there"


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1).strip() if found else ""
