"""The log of a process of its own, outside Airflow: text or JSON lines on standard error."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from powersense.settings import Settings


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields given as `extra={"fields": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        import orjson

        content: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(content, option=orjson.OPT_UTC_Z, default=str).decode()


def set_up(settings: Settings, *filters: logging.Filter) -> None:
    """Write the process's log to standard error, as `LOG_LEVEL` and `LOG_FORMAT` say.

    Args:
        settings: those two count.
        *filters: each may take lines out.
    """
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonLines() if settings.log_format == "json" else plain)
    for one in filters:
        handler.addFilter(one)
    # Other libraries' chatter says nothing of the work.
    logging.basicConfig(
        level=max(logging.INFO, logging.getLevelName(settings.log_level)), handlers=[handler], force=True
    )
    logging.getLogger("powersense").setLevel(settings.log_level)
