"""One group of alerts and what people do about it, and silences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends

from powersense.api.alerts.reads import groups_question, silences_question
from powersense.api.alerts.rows import (
    Acknowledgement,
    AlertGroup,
    Comment,
    HistoryRow,
    NewSilence,
    SilenceRow,
)
from powersense.api.auth import Access, Caller
from powersense.api.data.parameters import ALL_TIME, among, areas_of, instant, refused
from powersense.api.model_body import body_of, reads
from powersense.api.problems import ProblemError, answers
from powersense.quality.actions import Action
from powersense.quality.rules import ALL_RULES
from powersense.quality.rules.finding import Severity
from powersense.warehouse.data_reads import Question, first_rows
from powersense.warehouse.reader_pool import ReaderPool

if TYPE_CHECKING:
    from powersense.quality.silences import Silence

LONGEST_SILENCE = timedelta(days=31)
MAX_MEMBERS = 1_000
_read_acknowledgement, _read_comment, _read_silence = reads(Acknowledgement), reads(Comment), reads(NewSilence)
_CHANGES = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


def alert_routes(access: Access) -> APIRouter:
    """Return the routes of one group and of silences; who may read them is for the app to say."""
    routes = APIRouter(tags=["alerts"])
    pool = ReaderPool()
    _add_group(routes, access, pool)
    _add_comments(routes, access, pool)
    _add_silences(routes, access, pool)
    return routes


def _add_group(routes: APIRouter, access: Access, pool: ReaderPool) -> None:
    @routes.get("/alert-groups/{group_id}", responses=answers(HTTPStatus.NOT_FOUND))
    def alert_group(group_id: str) -> AlertGroup:
        """Tell all about a group: where it stands, its alerts, and what happened to it."""
        return _detailed(pool, group_id)

    @routes.post(
        "/alert-groups/{group_id}/acknowledgement",
        dependencies=[Depends(access.operate)],
        responses=answers(*_CHANGES),
        openapi_extra=body_of(Acknowledgement),
    )
    def acknowledge(
        group_id: str,
        wish: Acknowledgement = Depends(_read_acknowledgement),
        caller: Caller = Depends(access.operate),
    ) -> AlertGroup:
        """Take a group on: nobody is reminded of it until it gets worse. The newest acknowledgement counts."""
        group = _still_open(pool, group_id)
        if group["acknowledged_by"] != caller.name or wish.comment:
            _act(group, Action.ACKNOWLEDGE, caller=caller, comment=wish.comment)
        return _detailed(pool, group_id)

    @routes.delete(
        "/alert-groups/{group_id}/acknowledgement",
        dependencies=[Depends(access.operate)],
        responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    def unacknowledge(group_id: str, caller: Caller = Depends(access.operate)) -> AlertGroup:
        """Give a group back: it is open again."""
        group = _still_open(pool, group_id)
        if group["state"] == "acknowledged":
            _act(group, Action.UNACKNOWLEDGE, caller=caller)
        return _detailed(pool, group_id)


def _add_comments(routes: APIRouter, access: Access, pool: ReaderPool) -> None:
    @routes.post(
        "/alert-groups/{group_id}/comments",
        status_code=HTTPStatus.CREATED,
        dependencies=[Depends(access.operate)],
        responses=answers(*_CHANGES),
        openapi_extra=body_of(Comment),
    )
    def comment(
        group_id: str, wish: Comment = Depends(_read_comment), caller: Caller = Depends(access.operate)
    ) -> AlertGroup:
        """Say something about a group, open or closed."""
        _act(_group(pool, group_id), Action.COMMENT, caller=caller, comment=wish.comment)
        return _detailed(pool, group_id)


def _add_silences(routes: APIRouter, access: Access, pool: ReaderPool) -> None:
    @routes.post(
        "/silences",
        status_code=HTTPStatus.CREATED,
        dependencies=[Depends(access.operate)],
        responses=answers(*_CHANGES[2:]),
        openapi_extra=body_of(NewSilence),
    )
    def silence(wish: NewSilence = Depends(_read_silence), caller: Caller = Depends(access.operate)) -> SilenceRow:
        """Let nobody be told of some alerts for a while; what is still open at the end is told then."""
        from powersense.quality.silences import store_silence
        from powersense.warehouse.client import connect

        made = _new_silence(wish, author=caller.name)
        with connect("writer") as client:
            store_silence(client, made)
        return SilenceRow(**_silence(pool, made.silence_id))

    @routes.delete(
        "/silences/{silence_id}",
        dependencies=[Depends(access.operate)],
        responses=answers(HTTPStatus.NOT_FOUND),
    )
    def end_silence(silence_id: str, caller: Caller = Depends(access.operate)) -> SilenceRow:
        """End a silence now; one that is over stays as it is."""
        from powersense.quality.silences import Silence, ended, store_silence
        from powersense.warehouse.client import connect

        row = _silence(pool, silence_id)
        known = SilenceRow(**row)
        before = Silence(**known.model_dump(exclude={"state"}))
        after = ended(before, by=caller.name, now=datetime.now(UTC))
        if after != before:
            with connect("writer") as client:
                store_silence(client, after)
        return SilenceRow(**_silence(pool, silence_id))


def _new_silence(wish: NewSilence, *, author: str) -> Silence:
    """Return the silence that somebody asks for.

    Raises:
        ProblemError: 422, a rule or an area is unknown, or the window is over, empty or longer than 31 days.
    """
    from powersense.quality.silences import Silence

    among("rules", wish.rules, ALL_RULES)
    areas = areas_of(wish.areas) if wish.areas else []
    now = datetime.now(UTC)
    starts_at = instant("starts_at", wish.starts_at) if wish.starts_at else now
    ends_at = instant("ends_at", wish.ends_at)
    if ends_at <= max(starts_at, now):
        raise refused("ends_at", wish.ends_at, f"give an instant after {max(starts_at, now).isoformat()}")
    if ends_at - starts_at > LONGEST_SILENCE:
        remedy = f"a silence lasts {LONGEST_SILENCE.days} days at most; change the rule's setting where it is wrong"
        raise refused("ends_at", wish.ends_at, remedy)
    return Silence(
        rules=list(dict.fromkeys(wish.rules)),
        areas=areas,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=wish.reason,
        author=author,
        created_at=now,
    )


def _act(group: dict[str, Any], action: Action, *, caller: Caller, comment: str = "") -> None:
    from powersense.quality.actions import Act, record
    from powersense.warehouse.client import connect

    act = Act(group["group_id"], action, author=caller.name, severity=Severity(group["severity"]), comment=comment)
    with connect("writer") as client:
        record(client, act)


def _detailed(pool: ReaderPool, group_id: str) -> AlertGroup:
    from powersense.quality.groups import history_of

    group = _group(pool, group_id)
    chosen = {"states": ["open", "closed"], "severities": list(Severity), "group_ids": [group_id]}
    asked = Question("api_alerts", ("opened_at", "alert_id"), chosen | ALL_TIME.bounds())
    members = first_rows(pool, asked, limit=MAX_MEMBERS)
    happened = history_of(pool, group_id)
    entries = [HistoryRow(at=entry.at, kind=entry.kind, who=entry.who, text=entry.text) for entry in happened]
    return AlertGroup.model_validate(group | {"members": members, "history": entries})


def _group(pool: ReaderPool, group_id: str) -> dict[str, Any]:
    for row in first_rows(pool, groups_question(group_ids=[group_id]), limit=1) if group_id else []:
        return row
    detail = f"There is no alert group {group_id[:200]!r}; GET /alert-groups lists them."
    raise ProblemError(HTTPStatus.NOT_FOUND, detail)


def _still_open(pool: ReaderPool, group_id: str) -> dict[str, Any]:
    group = _group(pool, group_id)
    if group["state"] == "closed":
        detail = f"Alert group {group_id[:200]!r} is closed; there is nothing to take on. Comment on it instead."
        raise ProblemError(HTTPStatus.CONFLICT, detail)
    return group


def _silence(pool: ReaderPool, silence_id: str) -> dict[str, Any]:
    for row in first_rows(pool, silences_question(silence_ids=[silence_id]), limit=1) if silence_id else []:
        return row
    raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no silence {silence_id[:200]!r}; GET /silences lists them.")
