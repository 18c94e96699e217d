"""Cursors of listings: where the next page begins, as a text that callers hand back and need not understand."""

from __future__ import annotations

import base64
import binascii
import json
from http import HTTPStatus

from powersense.api.problems import ProblemError


def encode_cursor(*parts: str) -> str:
    """Return the cursor of a position.

    >>> decode_cursor(encode_cursor("2017-09-30", "météo/août 2017.csv"), length=2)
    ('2017-09-30', 'météo/août 2017.csv')
    """
    return base64.urlsafe_b64encode(json.dumps(parts, ensure_ascii=False).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, length: int) -> tuple[str, ...]:
    """Return the position of a cursor.

    Args:
        cursor: what `encode_cursor` returned.
        length: how many parts it must have.

    Raises:
        ProblemError: 422, it is none.
    """
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parts = None
    if not isinstance(parts, list) or len(parts) != length or not all(isinstance(part, str) for part in parts):
        raise bad_cursor(cursor)
    return tuple(parts)


def bad_cursor(cursor: str) -> ProblemError:
    """Return the refusal of a cursor that no answer gave."""
    remedy = "give what the answer before had as `next`, or leave it out for the first page"
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"after is no cursor: {remedy}.",
        fields=[{"field": "after", "value": cursor[:200], "remedy": remedy}],
    )
