"""How the steps of weather ingestion end in Airflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from powersense.errors import MissingCredentialError

logger = logging.getLogger(__name__)


@contextmanager
def skip_without_key() -> Iterator[None]:
    """Skip the task, visibly and with the remedy, where the observation API's connection has no key.

    Raises:
        AirflowSkipException: in place of MissingCredentialError.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    try:
        yield
    except MissingCredentialError as error:
        logger.warning("1 source left out of this run: %s. SYNOP and hourly files are read instead, later.", error)
        raise AirflowSkipException(str(error)) from error
