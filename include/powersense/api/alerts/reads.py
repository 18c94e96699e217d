"""Listings of alert groups, silences and rules, in the formats of all data."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request, Response

from powersense.api.alerts.rows import AlertGroupRow, GroupState, RuleRow, SilenceRow, SilenceState
from powersense.api.data.answers import DataAnswers, data_answers
from powersense.api.data.findings import Severities, half_open
from powersense.api.data.parameters import After, Areas, End, Limit, Start, among, areas_of
from powersense.api.data.rows import Severity
from powersense.quality.rules import ALL_RULES
from powersense.quality.rules.titles import RULE_TITLES
from powersense.settings import get_settings
from powersense.warehouse.data_reads import Question

GroupStates = Annotated[list[GroupState] | None, Query(max_length=3, description="default: all")]
SilenceStates = Annotated[list[SilenceState] | None, Query(max_length=3, description="default: all")]
Rules = Annotated[list[str] | None, Query(max_length=100, description="ids of rules; /rules lists them. Default: all")]


def add_alert_reads(routes: APIRouter, shared: DataAnswers) -> None:
    """Add the routes."""

    @routes.get("/alert-groups", responses=data_answers(AlertGroupRow))
    async def alert_groups(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        states: GroupStates = None,
        severities: Severities = None,
        rules: Rules = None,
        areas: Areas = None,
        start: Start = "",
        end: End = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """List groups of alerts that were open within a range (all by default), the newest first."""
        among("rules", rules or [], ALL_RULES)
        question = groups_question(
            states=states, severities=severities, rules=rules, areas=areas_of(areas) if areas else []
        )
        bounds = half_open(start, end).bounds()
        asked = Question(question.name, question.key, dict(question.parameters) | bounds)
        return await shared.answer(request, asked, after=after, limit=limit)

    @routes.get("/silences", responses=data_answers(SilenceRow))
    async def silences(
        request: Request, states: SilenceStates = None, after: After = "", limit: Limit = None
    ) -> Response:
        """List silences, the one that starts last first."""
        return await shared.answer(request, silences_question(states=states), after=after, limit=limit)

    @routes.get("/rules")
    async def rules() -> list[RuleRow]:
        """List the rules that raise alerts."""
        runbook = get_settings().powersense_runbook_url
        return [RuleRow(rule=rule, title=RULE_TITLES[rule], runbook=f"{runbook}#{rule}") for rule in ALL_RULES]


def groups_question(
    *,
    states: list[GroupState] | None = None,
    severities: list[Severity] | None = None,
    rules: list[str] | None = None,
    areas: list[str] | None = None,
    group_ids: list[str] | None = None,
) -> Question:
    """Return the question for groups of all time; what is empty or None leaves nothing out."""
    chosen = {
        "states": states or list(get_args(GroupState)),
        "severities": severities or list(get_args(Severity)),
        "rules": rules or [],
        "areas": areas or [],
        "group_ids": group_ids or [],
    }
    return Question("api_alert_groups", ("opened_at", "group_id"), chosen | half_open("", "").bounds())


def silences_question(*, states: list[SilenceState] | None = None, silence_ids: list[str] | None = None) -> Question:
    """Return the question for silences; what is empty or None leaves nothing out."""
    chosen = {"states": states or list(get_args(SilenceState)), "silence_ids": silence_ids or []}
    return Question("api_silences", ("starts_at", "silence_id"), chosen)
