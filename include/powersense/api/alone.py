"""The API and its page as a service of their own, with API keys, at the same addresses as in Airflow."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.routing import Mount

from powersense import page
from powersense.api import URL_PREFIX
from powersense.api.app import create_app
from powersense.api.auth import NEW_KEY_COMMAND, VARIABLE, key_access, parse_keys
from powersense.page.app import create_page

logger = logging.getLogger(__name__)


def create_service(keys: str) -> Starlette:
    """Return the service.

    Args:
        keys: the value of `POWERSENSE_API_KEYS`; without any, every protected route answers 401 with how to make one.

    Raises:
        ConfigurationError: an entry of the keys is malformed.
    """
    configured = parse_keys(keys)
    if not configured:
        logger.warning("%s is empty, nobody may call: make a key with `%s`", VARIABLE, NEW_KEY_COMMAND)
    return Starlette(
        routes=[Mount(URL_PREFIX, create_app(key_access(configured))), Mount(page.URL_PREFIX, create_page("key"))]
    )
