"""Edge to people: the log, and every Apprise URL of `ALERT_NOTIFY_URLS` or of an Airflow connection."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import BaseNotifier

from powersense.errors import ConfigurationError, NotificationError
from powersense.quality.notices import Event, Notice, compose
from powersense.quality.rules.finding import Severity
from powersense.settings import Settings

logger = logging.getLogger(__name__)

LOG_TARGET = "log"


@dataclass(frozen=True)
class Target:
    """Where notices go.

    Attributes:
        name: what tables and logs call it: the URL's scheme and a digest, never the URL, which holds secrets.
        url: Apprise URL; empty for the log.
    """

    name: str
    url: str = field(default="", repr=False)


class AlertNotifier(BaseNotifier):
    """Airflow notifier that sends one message to one Apprise URL, and raises where the provider's stays silent.

    Nothing is templated: a message quotes upstream text, which must not be rendered.
    """

    template_fields = ()

    def __init__(self, *, target: Target, title: str, body: str, notify_type: str = "info") -> None:
        super().__init__()
        self.target = target
        self.title = title
        self.body = body
        self.notify_type = notify_type

    def notify(self, context: Any) -> None:
        """Send the message.

        Raises:
            ConfigurationError: Apprise does not understand the URL.
            NotificationError: the target did not take the message.
        """
        import apprise

        sender = apprise.Apprise()
        if not sender.add(self.target.url):
            raise ConfigurationError(
                f"ALERT_NOTIFY_URLS: Apprise does not understand the {self.target.name} URL; "
                "see https://github.com/caronc/apprise/wiki"
            )
        is_sent = sender.notify(
            title=self.title,
            body=self.body,
            notify_type=apprise.NotifyType(self.notify_type),
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
        )
        if not is_sent:
            raise NotificationError(f"{self.target.name} did not take the message {self.title!r}")


def targets(settings: Settings) -> list[Target]:
    """Return everybody to tell: the log, then each URL, whose secrets Airflow masks in every log from here on."""
    from airflow.sdk.log import mask_secret

    urls = settings.alert_notify_urls.replace(",", " ").split() + _connection_urls(settings.alert_notify_connection)
    for url in urls:
        mask_secret(url)
    return [Target(LOG_TARGET), *(Target(_name(url), url) for url in dict.fromkeys(urls))]


def _connection_urls(connection_id: str) -> list[str]:
    """Return the URLs of an Apprise connection (`extra.config`, as the Airflow provider writes it)."""
    if not connection_id:
        return []
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    hook = AppriseHook(connection_id)
    config = hook.get_config_from_conn(hook.get_connection(connection_id))
    return [entry["path"] for entry in (config if isinstance(config, list) else [config])]


def _name(url: str) -> str:
    scheme = url.split(":", 1)[0].lower()
    return f"{scheme if scheme.isalnum() else 'url'}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def send(target: Target, notices: Sequence[Notice]) -> None:
    """Tell one target several things in one message.

    Raises:
        ConfigurationError, NotificationError: see `AlertNotifier.notify`.
    """
    title, body = compose(notices)
    if target.name == LOG_TARGET:
        logger.warning("%s\n%s", title, body)
        return
    AlertNotifier(target=target, title=title, body=body, notify_type=_notify_type(notices))({})


def _notify_type(notices: Sequence[Notice]) -> str:
    """Return Apprise's message type, which targets show as a colour or an icon."""
    open_ones = [notice.alert.severity for notice in notices if notice.event is not Event.CLOSED]
    if not open_ones:
        return "success"
    return "failure" if Severity.CRITICAL in open_ones else "warning"
