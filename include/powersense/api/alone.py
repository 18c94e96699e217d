"""The API and its page as a service of their own, with API keys, at the same addresses as in Airflow.

It runs outside the scheduler, so the dead-man's switch is here, and here alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.routing import Mount

from powersense import page
from powersense.api import URL_PREFIX
from powersense.api.app import create_app
from powersense.api.auth import NEW_KEY_COMMAND, VARIABLE, key_access, parse_keys
from powersense.api.key_files import with_files
from powersense.api.monitoring.deadman import Heartbeat, Teller, watch
from powersense.page.app import create_page

logger = logging.getLogger(__name__)


def create_service(keys: str, key_files: str = "") -> Starlette:
    """Return the service.

    Args:
        keys: the value of `POWERSENSE_API_KEYS`; without any, every protected route answers 401 with how to make one.
        key_files: the value of `POWERSENSE_API_KEY_FILES`.

    Raises:
        ConfigurationError: an entry of the keys is malformed, or a key's file can be neither read nor made.
    """
    configured = with_files(parse_keys(keys), key_files)
    if not configured:
        logger.warning("%s is empty, nobody may call: make a key with `%s`", VARIABLE, NEW_KEY_COMMAND)
    heartbeat = Heartbeat()
    api = create_app(key_access(configured), heartbeat)
    return Starlette(
        routes=[Mount(URL_PREFIX, api), Mount(page.URL_PREFIX, create_page("key"))], lifespan=_watched(heartbeat)
    )


def _watched(heartbeat: Heartbeat) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return the life of the service: the dead-man's switch watches meanwhile."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch(heartbeat, Teller()))
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    return lifespan
