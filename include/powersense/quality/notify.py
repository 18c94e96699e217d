"""Edge to people: the log, and every Apprise URL of the settings `ALERT_*_URLS` or of an Airflow connection."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import BaseNotifier

from powersense.errors import ConfigurationError, NotificationError
from powersense.quality.notices import Event, Notice
from powersense.quality.rules.finding import Severity
from powersense.quality.wording import Links, compose
from powersense.settings import Settings, get_settings

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
                f"ALERT_NOTIFY_URLS or ALERT_ESCALATE_URLS: Apprise does not understand the {self.target.name} URL; "
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
    urls = _split(settings.alert_notify_urls) + _connection_urls(settings.alert_notify_connection)
    return [Target(LOG_TARGET), *_masked(urls)]


def escalation_targets(settings: Settings) -> list[Target]:
    """Return those who hear of what nobody acknowledged, and of nothing else; `targets` hear of it as well."""
    known = {target.url for target in targets(settings)}
    return _masked(url for url in _split(settings.alert_escalate_urls) if url not in known)


def _split(urls: str) -> list[str]:
    return urls.replace(",", " ").split()


def _masked(urls: Iterable[str]) -> list[Target]:
    from airflow.sdk.log import mask_secret

    found = list(dict.fromkeys(urls))
    for url in found:
        mask_secret(url)
    return [Target(_name(url), url) for url in found]


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


def try_send(target: Target, notices: Sequence[Notice]) -> str:
    """Send one message for several notices as `send` does; return why the target did not take it, else nothing."""
    return _failure(lambda: send(target, notices))


def try_send_text(target: Target, title: str, body: str, *, notify_type: str) -> str:
    """Tell one target as `send_text` does; return why it did not take it, else nothing."""
    return _failure(lambda: send_text(target, title, body, notify_type=notify_type))


def _failure(tell: Callable[[], None]) -> str:
    """Tell; log why that failed, and return it."""
    try:
        tell()
    except (ConfigurationError, NotificationError) as error:
        logger.error("Notice not delivered: %s", error)
        return str(error)
    return ""


def send(target: Target, notices: Sequence[Notice]) -> None:
    """Tell one target several things in one message.

    Raises:
        ConfigurationError, NotificationError: see `AlertNotifier.notify`.
    """
    settings = get_settings()
    title, body = compose(notices, Links(settings.powersense_public_url, settings.powersense_runbook_url))
    send_text(target, title, body, notify_type=_notify_type(notices))


def send_text(target: Target, title: str, body: str, *, notify_type: str) -> None:
    """Tell one target something that no stored alert is about.

    Args:
        target: whom.
        title: one line.
        body: plain text.
        notify_type: Apprise's message type: `info`, `success`, `warning` or `failure`.

    Raises:
        ConfigurationError, NotificationError: see `AlertNotifier.notify`.
    """
    if target.name == LOG_TARGET:
        logger.warning("%s\n%s", title, body)
        return
    AlertNotifier(target=target, title=title, body=body, notify_type=notify_type)({})


def _notify_type(notices: Sequence[Notice]) -> str:
    """Return Apprise's message type, which targets show as a colour or an icon."""
    open_ones = [notice.severity for notice in notices if notice.event is not Event.CLOSED]
    if not open_ones:
        return "success"
    return "failure" if Severity.CRITICAL in open_ones else "warning"
