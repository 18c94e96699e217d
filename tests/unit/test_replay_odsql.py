"""ODSQL's `where`: what is understood, what is refused and with which words, and which rows match."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.calendar import PARIS
from powersense.local.replay.matching import matching
from powersense.local.replay.odsql import (
    Between,
    Both,
    Comparison,
    Condition,
    IsNull,
    Like,
    Not,
    OneOf,
    parse,
)
from powersense.local.replay.refusals import Refusal
from powersense.local.replay.shift import instants_of, wall_seconds
from powersense.local.replay.table import Table
from powersense.local.replay.tables import table_from_records

LOADS = [None, 4000, 5200, 61000, -5]
REGIONS = ["Bretagne", "Île-de-France", "Provence-Alpes-Côte d'Azur", "Grand Est", "Bretagne"]
WALLS = ["2017-09-29 23:30", "2017-09-30 00:00", "2017-09-30 00:15", "2017-09-30 12:00", "2017-10-01 00:00"]


def regional_rows() -> Table:
    records = [
        {
            "libelle_region": region,
            "nature": "Données temps réel",
            "date": wall[:10],
            "heure": wall[11:],
            "consommation": load,
            "pompage": None if load is None else str(load),
        }
        for region, wall, load in zip(REGIONS, WALLS, LOADS, strict=True)
    ]
    return table_from_records("eco2mix-regional-tr", records)


def matched(where: str, zone: object = UTC) -> list[int]:
    assert zone in (UTC, PARIS)
    return np.flatnonzero(matching(regional_rows(), parse(where), PARIS if zone is PARIS else UTC)).tolist()


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("consommation > 4000", [2, 3]),
        ("consommation >= 4000 AND consommation <= 5200", [1, 2]),
        ("consommation = -5 or consommation: 61000", [3, 4]),
        ("consommation is null", [0]),
        ("consommation IS NOT NULL", [1, 2, 3, 4]),
        ("not consommation > 4000", [0, 1, 4]),
        ("consommation != 4000", [0, 2, 3, 4]),
        ("consommation in [4000..5200]", [1, 2]),
        ("consommation in ]4000 TO 61000[", [2]),
        ("consommation not in (4000, 5200)", [0, 3, 4]),
        ("libelle_region = 'Bretagne' and consommation is not null", [4]),
        ("libelle_region in ('Bretagne', \"Grand Est\")", [0, 3, 4]),
        ("libelle_region like 'cote azur'", []),
        ("libelle_region like 'azur'", [2]),
        ("libelle_region like 'bret*'", [0, 4]),
        ("code_insee_region = '11'", [1]),
        ("pompage = '5200'", [2]),
        ("date = date'2017-09-30'", [1, 2, 3]),
        ("date >= '2017/10/01'", [4]),
        ("heure = '00:00'", [1, 4]),
        ("(libelle_region = 'Bretagne' or consommation = 4000) and date < date'2017-10-01'", [0, 1]),
        ("libelle_region = 'Bretagne' or consommation = 4000 and date < date'2017-10-01'", [0, 1, 4]),
        ("consommation > 0 and consommation < 60000 and libelle_region != 'Grand Est' and date > '2017-01-01'", [1, 2]),
        ("consommation = 4000 or consommation = 5200 or consommation = -5", [1, 2, 4]),
        ("`libelle_region` = 'Provence-Alpes-Côte d\\'Azur'", [2]),
    ],
)
def test_a_where_matches_its_rows(where: str, rows: list[int]) -> None:
    assert matched(where) == rows


def test_a_date_literal_is_local_to_the_requests_time_zone() -> None:
    where = "date_heure >= date'2017-09-30' and date_heure < date'2017-10-01'"
    assert matched(where, PARIS) == [1, 2, 3]
    assert matched(where, UTC) == [3, 4]
    assert matched("date_heure = date'2017-09-30T00:00:00+02:00'") == [1]
    assert matched("date_heure in [date'2017-09-29T22:00' .. '2017-09-29T22:15:00Z']") == [1, 2]


@pytest.mark.parametrize(
    ("where", "error_code", "message"),
    [
        ("garbage==", "ODSQLSyntaxError", "unexpected = at position 8 in garbage=="),
        ("consommation >", "ODSQLSyntaxError", "unexpected end at position 14"),
        ("(consommation > 1", "ODSQLSyntaxError", "unexpected end"),
        ("consommation > 1 nature = 'x'", "ODSQLSyntaxError", "unexpected nature at position 17"),
        ("consommation ~ 1", "ODSQLSyntaxError", "unexpected ~ at position 13"),
        ("date_heure >= date'2017", "ODSQLSyntaxError", "unexpected ' at position 18"),
        ("in (1)", "ODSQLSyntaxError", "unexpected in at position 0"),
        ("invalid_function()", "ODSQLError", "ODSQL query is malformed: invalid_function()"),
        ("consommation > nothing()", "ODSQLError", "malformed: nothing()"),
        ("categorie = 1", "ODSQLError", "Unknown field: categorie"),
        ("consommation > 'many'", "ODSQLError", "Invalid literal many"),
        ("date_heure > 'soon'", "ODSQLError", "Invalid literal soon"),
        ("consommation like 'x'", "ODSQLError", "like expects a text field"),
    ],
)
def test_a_wrong_where_is_refused_in_the_portals_words(where: str, error_code: str, message: str) -> None:
    with pytest.raises(Refusal, match=error_code) as refused:
        matched(where)
    assert refused.value.status == 400
    assert refused.value.error_code == error_code
    assert message in refused.value.message


fields = st.sampled_from(["consommation", "nature", "date_heure", "in_flow", "android", "nullable"])
literals = st.one_of(
    st.integers(-(10**6), 10**6).map(float),
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)
leaves = st.one_of(
    st.builds(Comparison, fields, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), literals),
    st.builds(Between, fields, literals, literals, st.booleans(), st.booleans()),
    st.builds(OneOf, fields, st.lists(literals, min_size=1, max_size=3).map(tuple)),
    st.builds(Like, fields, st.text(alphabet="abcé *?", max_size=8)),
    st.builds(IsNull, fields),
)
conditions = st.recursive(
    leaves,
    lambda terms: st.one_of(st.builds(Not, terms), st.builds(Both, st.sampled_from(["and", "or"]), terms, terms)),
)


def spelled(literal: object) -> str:
    if isinstance(literal, float):
        return str(int(literal))
    return '"' + str(literal).replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(condition: Condition) -> str:  # noqa: PLR0911
    match condition:
        case Both(word, left, right):
            return f"({written(left)}) {word.upper()} ({written(right)})"
        case Not(term):
            return f"NOT ({written(term)})"
        case Comparison(field, sign, value):
            return f"{field}{sign}{spelled(value)}"
        case Between(field, low, high, has_low, has_high):
            ends = "[" if has_low else "]", "]" if has_high else "["
            return f"{field} IN {ends[0]}{spelled(low)} .. {spelled(high)}{ends[1]}"
        case OneOf(field, values):
            return f"{field} in ({', '.join(spelled(value) for value in values)})"
        case Like(field, pattern):
            return f"{field} like {spelled(pattern)}"
        case IsNull(field):
            return f"{field} is null"


@given(conditions)
def test_what_is_written_is_parsed_back(condition: Condition) -> None:
    assert parse(written(condition)) == condition


@given(st.text(max_size=40) | st.text(alphabet="ab=<>()[]'\" .,andornot19", max_size=40))
def test_any_text_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    with suppress(Refusal):
        parse(text)


@given(st.integers(-100_000, 100_000), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
def test_numbers_compare_as_numbers_and_null_never_matches_an_order(bound: int, sign: str) -> None:
    compare = {"=": "==", "!=": "!="}.get(sign, sign)
    expected = [
        row
        for row, load in enumerate(LOADS)
        if (load is None and sign == "!=") or (load is not None and eval(f"{load} {compare} {bound}"))  # noqa: S307
    ]
    assert matched(f"consommation {sign} {bound}") == expected


@given(st.datetimes(datetime.fromisoformat("2017-09-29"), datetime.fromisoformat("2017-10-02")))
def test_instants_compare_as_instants(bound: datetime) -> None:
    whole = bound.replace(microsecond=0)
    seconds = instants_of(np.array([wall_seconds(datetime.fromisoformat(wall)) for wall in WALLS], dtype=np.int64))
    expected = np.flatnonzero(seconds >= whole.replace(tzinfo=UTC).timestamp()).tolist()
    assert matched(f"date_heure >= date'{whole.isoformat()}'") == expected
