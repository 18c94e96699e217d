"""Groups of alerts: who joins which, what they owe to whom, how it reads, and what is told of their past. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.quality.grouping import ACKNOWLEDGED, CLOSED, OPEN, Group, RuleGroups, group_of_one, grouped
from powersense.quality.history import history
from powersense.quality.lifecycle import Alert, advance
from powersense.quality.notices import Event, Notice, Outcome, Policy, Record, first_notice, owed
from powersense.quality.rules import Finding, Severity
from powersense.quality.silences import Silence, ended
from powersense.quality.wording import MAX_ALERTS, MAX_TEXT, Links, clean, compose

NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
INFO, WARNING, CRITICAL = Severity
TELLS = Policy(WARNING, CRITICAL, 30 * MINUTE)
REMINDS = replace(TELLS, only_reminders=True)


def alert(area: str = "a", severity: Severity = WARNING, *, rule: str = "r", is_open: bool = True) -> Alert:
    opened = advance(None, Finding(rule, severity, f"s {area}", "m", area=area), now=NOON, run_id="run")
    assert opened is not None
    closed = advance(opened, None, now=NOON, run_id="run")
    assert closed is not None
    return opened if is_open else closed


def group(*alerts: Alert, state: str = OPEN, silenced: set[str] = frozenset(), **changes: Any) -> Group:
    """Return a group of alerts; `silenced` names areas."""
    ids = frozenset(each.alert_id for each in alerts if each.area in silenced)
    by = ("bob", NOON) if state == ACKNOWLEDGED else (None, None)
    return replace(Group("g", state, by[1], by[0], None, alerts, ids), **changes)


def record(event: Event, outcome: Outcome = Outcome.SENT, *areas: str, **changes: Any) -> Record:
    """Return a record of a warning told to the log; `areas` names its alerts, a where none is named."""
    told = frozenset(alert(area).alert_id for area in areas or "a")
    return replace(Record("g", event, WARNING, "log", 1, outcome, NOON, told), **changes)


HEARD = [record(Event.OPENED)]
WORSE = [record(Event.OPENED, severity=CRITICAL)]


@pytest.mark.parametrize(
    ("of", "records", "expected"),
    [
        pytest.param(group(alert()), [], (Event.OPENED, 1, "a"), id="a new group is told"),
        pytest.param(group(alert(), alert("b")), [], (Event.OPENED, 1, "ab"), id="with all its alerts"),
        pytest.param(group(alert("a", INFO)), [], None, id="info is not told"),
        pytest.param(group(alert()), HEARD, None, id="once"),
        pytest.param(group(alert()), [record(Event.OPENED, Outcome.CLAIMED)], None, id="not while another tells it"),
        pytest.param(group(alert()), [record(Event.OPENED, Outcome.FAILED)], (Event.OPENED, 2, "a"), id="again"),
        pytest.param(group(alert()), [record(Event.OPENED, Outcome.FAILED, attempt=3)], None, id="three times at most"),
        pytest.param(
            group(alert("a", CRITICAL)), [record(Event.OPENED, Outcome.FAILED, attempt=3)], (Event.OPENED, 1, "a"),
            id="and three times more once it is worse",
        ),
        pytest.param(group(alert(), alert("b")), HEARD, (Event.JOINED, 1, "b"), id="one that joins is told"),
        pytest.param(
            group(alert(), alert("b")), [*HEARD, record(Event.JOINED, Outcome.SENT, "b")], None, id="joins once"
        ),
        pytest.param(group(alert(), alert("b", INFO)), HEARD, None, id="info joins unheard"),
        pytest.param(
            group(alert(), alert("b"), state=ACKNOWLEDGED), HEARD, (Event.JOINED, 1, "b"), id="joins what is taken on"
        ),
        pytest.param(group(alert("a", CRITICAL)), HEARD, (Event.ESCALATED, 1, "a"), id="again when it gets worse"),
        pytest.param(
            group(alert(), alert("b", CRITICAL)), HEARD, (Event.ESCALATED, 1, "ba"), id="worse by one that joins"
        ),
        pytest.param(group(alert()), WORSE, None, id="not when it gets better"),
        pytest.param(group(alert(), silenced={"a"}), [], None, id="not below a silence"),
        pytest.param(group(alert(), alert("b"), silenced={"a"}), [], (Event.OPENED, 1, "b"), id="no silence's"),
        pytest.param(group(alert(), alert("b")), HEARD, (Event.JOINED, 1, "b"), id="a silence's, at its end"),
        pytest.param(group(alert("a", CRITICAL), silenced={"a"}), HEARD, None, id="no rise below a silence"),
        pytest.param(
            group(alert(is_open=False), state=CLOSED), HEARD, (Event.CLOSED, 1, "a"), id="its end"
        ),
        pytest.param(
            group(alert(is_open=False), state=CLOSED), [*HEARD, record(Event.CLOSED)], None, id="its end once"
        ),
        pytest.param(group(alert(is_open=False), alert("b")), [*HEARD, record(Event.JOINED, Outcome.SENT, "b")], None,
                     id="not the end of one of several"),
        pytest.param(group(alert(is_open=False), state=CLOSED), [], None, id="no end of what nobody heard"),
        pytest.param(
            group(alert(is_open=False), state=CLOSED), [record(Event.OPENED, Outcome.FAILED)], None, id="nor failed to"
        ),
    ],
)  # fmt: skip
def test_what_a_group_owes_its_target(
    of: Group, records: list[Record], expected: tuple[Event, int, str] | None
) -> None:
    notice = owed(of, records, target="log", policy=TELLS, clock=NOON)
    assert (notice and (notice.event, notice.attempt, "".join(each.area for each in notice.alerts))) == expected
    assert owed(of, [], target="other", policy=REMINDS, clock=NOON + HOUR) is None


def test_a_claim_whose_holder_died_expires() -> None:
    records = [record(Event.OPENED, Outcome.CLAIMED)]
    later = owed(group(alert()), records, target="log", policy=TELLS, clock=NOON + timedelta(minutes=11))
    assert later is not None
    assert later.attempt == 2


GRAVE = group(alert("a", CRITICAL))
REMINDED = record(Event.UNACKNOWLEDGED, severity=CRITICAL)


@pytest.mark.parametrize(
    ("of", "records", "minutes", "is_due"),
    [
        pytest.param(GRAVE, WORSE, 30, True, id="after half an hour"),
        pytest.param(GRAVE, WORSE, 29, False, id="not before"),
        pytest.param(group(alert()), WORSE, 90, False, id="not of what became less grave"),
        pytest.param(GRAVE, [], 90, False, id="not before anybody was told"),
        pytest.param(group(alert()), HEARD, 90, False, id="not of what is less grave"),
        pytest.param(
            GRAVE, [*HEARD, record(Event.ESCALATED, severity=CRITICAL, recorded_at=NOON + HOUR)], 89, False,
            id="the time runs from the rise",
        ),
        pytest.param(replace(GRAVE, state=ACKNOWLEDGED), WORSE, 90, False, id="not once it is taken on"),
        pytest.param(replace(GRAVE, withdrawn_at=NOON + HOUR), WORSE, 89, False, id="from when it was given back"),
        pytest.param(replace(GRAVE, withdrawn_at=NOON + HOUR), [*WORSE, REMINDED], 90, True, id="and reminds again"),
        pytest.param(GRAVE, [*WORSE, REMINDED], 90, False, id="once"),
        pytest.param(replace(GRAVE, silenced=frozenset({GRAVE.alerts[0].alert_id})), WORSE, 90, False, id="no silence"),
    ],
)  # fmt: skip
def test_a_grave_group_that_nobody_takes_on_is_told_again_and_to_others(
    of: Group, records: list[Record], minutes: int, is_due: bool
) -> None:
    clock = NOON + minutes * MINUTE
    reminder = owed(of, records, target="log", policy=TELLS, clock=clock)
    assert (reminder is not None and reminder.event is Event.UNACKNOWLEDGED) is is_due
    away = [replace(each, target="boss") if each.event is Event.UNACKNOWLEDGED else each for each in records]
    for_others = owed(of, away, target="boss", policy=REMINDS, clock=clock)
    assert (for_others and for_others.event) == (Event.UNACKNOWLEDGED if is_due else None)
    never = replace(REMINDS, remind_after=timedelta())
    assert owed(of, away, target="boss", policy=never, clock=clock) is None


def test_those_who_were_reminded_hear_of_the_end_and_of_nothing_else() -> None:
    records = [*WORSE, replace(REMINDED, target="boss")]
    more = group(alert("a", CRITICAL), alert("b", CRITICAL))
    assert owed(more, records, target="boss", policy=REMINDS, clock=NOON + HOUR) is None
    over = group(alert("a", CRITICAL, is_open=False), state=CLOSED)
    notice = owed(over, records, target="boss", policy=REMINDS, clock=NOON + HOUR)
    assert notice is not None
    assert notice.event is Event.CLOSED


def test_notices_of_different_things_have_different_tokens() -> None:
    cases: list[tuple[Group, list[Record]]] = [
        (group(alert()), []),
        (group(alert()), [record(Event.OPENED, Outcome.FAILED)]),
        (group(alert(), alert("b")), HEARD),
        (group(alert(), alert("c")), HEARD),
        (group(alert("a", CRITICAL)), HEARD),
        (group(alert(is_open=False), state=CLOSED), HEARD),
    ]
    notices = [owed(of, records, target="log", policy=TELLS, clock=NOON) for of, records in cases]
    assert len({notice.token for notice in notices if notice}) == len(cases)
    assert len({notice.key for notice in notices if notice}) == len(cases)


RULES = st.sampled_from(["r", "q"])
OPENED = st.lists(st.tuples(RULES, st.sampled_from("abcdef")), unique=True, max_size=6)
KNOWN = st.dictionaries(
    RULES,
    st.builds(
        RuleGroups,
        st.text("0123", min_size=1, max_size=3),
        st.lists(st.tuples(st.sampled_from(["g1", "g2"]), st.integers(-100, 100).map(lambda m: NOON + m * MINUTE))),
    ),
)


@given(OPENED, KNOWN)
def test_what_opens_together_is_one_group_a_rule_and_joins_only_what_is_near(
    opened: list[tuple[str, str]], known: dict[str, RuleGroups]
) -> None:
    alerts = [alert(area, rule=rule) for rule, area in opened]
    found = grouped(alerts, known, now=NOON, window=HOUR)
    assert [replace(each, group_id=each.alert_id) for each in found] == alerts
    by_rule = {rule: {each.group_id for each in found if each.rule == rule} for rule in {each.rule for each in found}}
    assert all(len(ids) == 1 for ids in by_rule.values())
    assert len(set().union(*by_rule.values())) == len(by_rule) or any(each.open_groups for each in known.values())
    for rule, ids in by_rule.items():
        distances = [(abs(last - NOON), group_id) for group_id, last in known.get(rule, RuleGroups()).open_groups]
        near = sorted(pair for pair in distances if pair[0] <= HOUR)
        assert ids == {near[0][1]} if near else not ids & {"g1", "g2"}
    # Another step that sees the same, and finds only some of it, writes the same.
    assert grouped(alerts[:1], known, now=NOON, window=HOUR) == found[:1]


def test_a_new_group_has_another_id_than_those_before_it() -> None:
    ids = {
        grouped([alert()], {"r": RuleGroups(lineage)}, now=NOON, window=HOUR)[0].group_id for lineage in ("", "1", "12")
    }
    assert len(ids) == 3


@given(st.text())
def test_clean_text_is_one_short_line(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= MAX_TEXT
    assert len(cleaned.splitlines()) <= 1


def notice(of: Group, event: Event) -> Notice:
    return Notice(of, event, "log", of.alerts, WARNING)


def test_a_message_names_severity_time_page_runbook_and_who_knows() -> None:
    taken = group(alert(is_open=False), state=CLOSED, acknowledged_by="bob\nforged", acknowledged_at=NOON)
    title, body = compose(
        [first_notice(alert(), target="log"), notice(taken, Event.CLOSED)], Links("https://x.example/page/", "run.md")
    )
    assert title == "PowerSense opened [warning] s a (+1)"
    first, second = body.split("\n\n")
    assert first.splitlines()[:3] == ["[opened] [warning] s a", "m", "Since 2017-09-30 12:00 UTC."]
    assert f"Page: https://x.example/page/#/alerts/{alert().group_id}" in first
    assert "Runbook: run.md#r" in first
    assert "closed 2017-09-30 12:00 UTC. Acknowledged by bob forged, 2017-09-30 12:00 UTC." in second
    assert "Page" not in compose([first_notice(alert(), target="log")], Links())[1]


def test_a_message_of_very_many_alerts_names_the_gravest_and_counts_the_others() -> None:
    many = group(*(alert(str(number)) for number in range(MAX_ALERTS + 3)), silenced={"1"})
    title, body = compose([notice(many, Event.UNACKNOWLEDGED)], Links())
    assert title.endswith(f"(+{MAX_ALERTS + 2})")
    assert body.count("[unacknowledged]") == MAX_ALERTS
    assert "… and 3 more" in body
    assert "Nobody has acknowledged it. 1 more below a silence." in body


def test_an_alert_of_which_nothing_is_stored_is_told_as_it_opened() -> None:
    alone = first_notice(alert(), target="log")
    assert (alone.event, alone.alerts, alone.group) == (Event.OPENED, (alert(),), group_of_one(alert()))


def test_history_tells_who_did_what_when_and_which_recovery_was_the_last() -> None:
    def at(minutes: int) -> datetime:
        return NOON + minutes * MINUTE

    members = [
        {"subject": "a", "opened_at": at(0), "closed_at": at(40)},
        {"subject": "b", "opened_at": at(15), "closed_at": at(60)},
    ]
    acts = [{"action": "acknowledge", "author": "bob", "comment": "mine", "acted_at": at(20)}]
    told = {"event": "opened", "severity": "warning", "outcome": "sent", "occasion": "", "attempt": 1}
    notices = [told | {"target": target, "recorded_at": at(1) + timedelta(seconds=n)} for n, target in enumerate("xy")]
    failed = [{**told, "event": "closed", "outcome": "failed", "target": "x", "recorded_at": at(61)}]
    silences = [{"author": "eve", "reason": "works", "began_at": at(30)}]
    found = history(members=members, acts=acts, notices=notices + failed, silences=silences)
    assert [(entry.at - NOON, entry.kind, entry.who, entry.text) for entry in found] == [
        (0 * MINUTE, "opened", "", "a"),
        (1 * MINUTE, "notified", "x, y", "opened [warning]"),
        (15 * MINUTE, "joined", "", "b"),
        (20 * MINUTE, "acknowledged", "bob", "mine"),
        (30 * MINUTE, "silenced", "eve", "works"),
        (40 * MINUTE, "recovered", "", "a"),
        (60 * MINUTE, "closed", "", "b"),
        (61 * MINUTE, "notify_failed", "x", "closed [warning]"),
    ]
    still = history(members=[members[0], {**members[1], "closed_at": None}], acts=[], notices=[], silences=[])
    assert [entry.kind for entry in still] == ["opened", "joined", "recovered"]


@pytest.mark.parametrize(
    ("minutes", "ends_at", "by"),
    [(0, 60, "eve"), (90, 90, "eve"), (120, 120, ""), (500, 120, "")],
    ids=["before it starts it lasts no time", "while it lasts it ends now", "at its end", "after it it stays"],
)
def test_a_silence_is_ended_once(minutes: int, ends_at: int, by: str) -> None:
    silence = Silence(
        rules=[], areas=[], starts_at=NOON + 60 * MINUTE, ends_at=NOON + 120 * MINUTE, reason="works", author="bob",
        created_at=NOON,
    )  # fmt: skip
    over = ended(silence, by="eve", now=NOON + minutes * MINUTE)
    assert (over.ends_at, over.ended_by, over.silence_id) == (NOON + ends_at * MINUTE, by, silence.silence_id)
    assert ended(over, by="mallory", now=NOON + minutes * MINUTE) == over
    assert ended(over, by="mallory", now=NOON + 600 * MINUTE) == over
