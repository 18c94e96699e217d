"""Alertmanager's notices on their way to people: the same targets hear of them as of the project's own alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from powersense.api.auth import Access
from powersense.api.model_body import body_of, reads
from powersense.api.problems import ProblemError, answers
from powersense.settings import get_settings

# Alertmanager cuts its message at `max_alerts`, which is told to it in alertmanager.yml.
MAX_ALERTS = 50
_MAX_BODY = 262_144
_BODY = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class PrometheusAlert(BaseModel):
    """One alert of a notice; what else Alertmanager says of it is not looked at."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: datetime


class PrometheusNotice(BaseModel):
    """What Alertmanager's webhook sends, version 4."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    alerts: list[PrometheusAlert] = Field(min_length=1, max_length=MAX_ALERTS)
    truncatedAlerts: int = Field(default=0, ge=0)


class Told(BaseModel):
    """How many targets heard, and how many did not."""

    told: int
    failed: int


read_notice = reads(PrometheusNotice, limit=_MAX_BODY)


def prometheus_routes(access: Access) -> APIRouter:
    """Return the route that Alertmanager calls, with a key that may operate."""
    routes = APIRouter(tags=["alerts"])

    @routes.post(
        "/prometheus-alerts",
        openapi_extra=body_of(PrometheusNotice),
        responses=answers(*_BODY),
        dependencies=[Depends(access.operate)],
    )
    def tell_people(notice: PrometheusNotice = Depends(read_notice)) -> Told:
        """Tell the targets of `ALERT_NOTIFY_URLS` what Alertmanager says; 503, for another try, when none took it."""
        told, failed = _tell(*compose(notice), notify_type="failure" if notice.status == "firing" else "success")
        if failed and not told:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "No target took the message.", headers={"Retry-After": "60"}
            )
        return Told(told=told, failed=failed)

    return routes


def compose(notice: PrometheusNotice) -> tuple[str, str]:
    """Return title and plain text of one message for all alerts of a notice."""
    from powersense.quality.wording import clean

    first = notice.alerts[0]
    others = len(notice.alerts) - 1 + notice.truncatedAlerts
    kind = f"[{first.labels['severity']}] " if "severity" in first.labels else ""
    more = f" (+{others})" if others else ""
    title = clean(f"Prometheus {notice.status} {kind}{first.labels.get('alertname', 'alert')}{more}")
    return title, "\n\n".join(_paragraph(alert) for alert in notice.alerts)


def _paragraph(alert: PrometheusAlert) -> str:
    from powersense.quality.wording import clean

    said = [alert.annotations.get(name, "") for name in ("summary", "description")]
    runbook = alert.annotations.get("runbook", "")
    lines = [
        f"[{alert.status}] {alert.labels.get('alertname', 'alert')}",
        *filter(None, said),
        f"Since {_utc(alert.startsAt):%Y-%m-%d %H:%M} UTC." + (f" Runbook: {runbook}" if runbook else ""),
    ]
    return "\n".join(clean(line) for line in lines)


def _utc(instant: datetime) -> datetime:
    """Return an instant in UTC; one that no calendar of UTC has, at the ends of time, stays as it is."""
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        return instant


def _tell(title: str, body: str, *, notify_type: str) -> tuple[int, int]:
    """Tell every target; return how many heard and how many did not. The log counts where it is the only one."""
    from powersense.quality import notify

    targets: list[Any] = notify.targets(get_settings())
    heard = [
        target.name for target in targets if not notify.try_send_text(target, title, body, notify_type=notify_type)
    ]
    told = sum(name != notify.LOG_TARGET or len(targets) == 1 for name in heard)
    return told, len(targets) - len(heard)
