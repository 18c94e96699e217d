"""The part of ODSQL's `where` that time-series clients use: its grammar, as a small recursive-descent parser.

    or     := and (OR and)*            and  := not (AND not)*        not := NOT not | '(' or ')' | test
    test   := field (= | != | < | <= | > | >= | :) literal
            | field [NOT] IN ('[' | ']') literal (.. | TO) literal ('[' | ']')
            | field [NOT] IN '(' literal (',' literal)* ')'
            | field [NOT] LIKE text | field IS [NOT] NULL
    literal := number | 'text' | "text" | date'2017-09-30T12:00' | true | false

Source: https://help.opendatasoft.com/apis/ods-explore-v2/#section/ODSQL
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from powersense.local.replay.refusals import Refusal, malformed_odsql, odsql_syntax

Literal: TypeAlias = str | float | bool
_TOKEN = re.compile(
    r"""\s*(?:(?P<date>date\s*(?:'[^']*'|"[^"]*"))|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<number>[-+]?\d+(?:\.\d+)?)(?![\w])|(?P<field>`[^`]+`)|(?P<word>[A-Za-z_]\w*)
    |(?P<sign>\.\.|<=|>=|!=|<>|[=<>:()\[\],]))""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARISONS = {"=": "=", ":": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null", "like", "to", "true", "false"})


@dataclass(frozen=True)
class Comparison:
    """`field sign literal`."""

    field: str
    sign: str
    value: Literal


@dataclass(frozen=True)
class Between:
    """`field in [low..high]`; an outward bracket leaves its end out."""

    field: str
    low: Literal
    high: Literal
    has_low: bool
    has_high: bool


@dataclass(frozen=True)
class OneOf:
    """`field in (a, b)`."""

    field: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Like:
    """`field like "word"`: texts that hold all the words, whatever their case; `*` and `?` are wildcards."""

    field: str
    pattern: str


@dataclass(frozen=True)
class IsNull:
    """`field is null`."""

    field: str


@dataclass(frozen=True)
class Not:
    """The rows that `term` does not match, those where the field is null included, as in the portal's search engine."""

    term: Condition


@dataclass(frozen=True)
class Both:
    """`left and right`, or `left or right`."""

    word: str
    left: Condition
    right: Condition


Condition: TypeAlias = Comparison | Between | OneOf | Like | IsNull | Not | Both


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.casefold() in words


def _tokens(query: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while query[position:].strip():
        match = _TOKEN.match(query, position)
        if match is None or match.lastgroup is None:
            start = len(query) - len(query[position:].lstrip())
            raise odsql_syntax(query[start], position=start, query=query)
        tokens.append(_Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        position = match.end()
    return [*tokens, _Token("end", "end", len(query))]


def parse(query: str) -> Condition:
    """Return the condition that a `where` states.

    Raises:
        Refusal: with the portal's 400 body; names the token and its position, or the unknown function.

    >>> parse("consommation > 100 and not nature = 'x'")  # doctest: +NORMALIZE_WHITESPACE
    Both(word='and', left=Comparison(field='consommation', sign='>', value=100.0),
         right=Not(term=Comparison(field='nature', sign='=', value='x')))
    """
    parser = _Parser(query)
    condition = parser.alternatives()
    if parser.here.kind != "end":
        raise parser.refusal()
    return condition


class _Parser:
    """One pass over the tokens of one query."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.tokens = _tokens(query)
        self.index = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.index]

    def refusal(self) -> Refusal:
        return odsql_syntax(self.here.text, position=self.here.position, query=self.query)

    def step(self) -> _Token:
        token = self.here
        self.index += 1
        return token

    def accept_word(self, *words: str) -> bool:
        if self.here.is_word(*words):
            self.index += 1
            return True
        return False

    def sign(self, *signs: str) -> str:
        if self.here.kind != "sign" or self.here.text not in signs:
            raise self.refusal()
        return self.step().text

    def alternatives(self) -> Condition:
        condition = self.conjunction()
        while self.accept_word("or"):
            condition = Both("or", condition, self.conjunction())
        return condition

    def conjunction(self) -> Condition:
        condition = self.negation()
        while self.accept_word("and"):
            condition = Both("and", condition, self.negation())
        return condition

    def negation(self) -> Condition:
        if self.accept_word("not"):
            return Not(self.negation())
        if self.here.text == "(":
            self.sign("(")
            condition = self.alternatives()
            self.sign(")")
            return condition
        return self.test()

    def test(self) -> Condition:
        field = self.field()
        if self.accept_word("is"):
            negated = self.accept_word("not")
            if not self.accept_word("null"):
                raise self.refusal()
            return Not(IsNull(field)) if negated else IsNull(field)
        if self.here.kind == "sign" and self.here.text in _COMPARISONS:
            return Comparison(field, _COMPARISONS[self.step().text], self.literal())
        if self.accept_word("not"):
            return Not(self.membership(field))
        return self.membership(field)

    def membership(self, field: str) -> Condition:
        if self.accept_word("like"):
            if self.here.kind != "text":
                raise self.refusal()
            return Like(field, _unquoted(self.step().text))
        if not self.accept_word("in"):
            raise self.refusal()
        if self.sign("(", "[", "]") == "(":
            return OneOf(field, self.values())
        opening = self.tokens[self.index - 1].text
        low = self.literal()
        if not self.accept_word("to"):
            self.sign("..")
        high = self.literal()
        return Between(field, low, high, has_low=opening == "[", has_high=self.sign("]", "[") == "]")

    def values(self) -> tuple[Literal, ...]:
        values = [self.literal()]
        while self.sign(",", ")") == ",":
            values.append(self.literal())
        return tuple(values)

    def field(self) -> str:
        token = self.here
        if token.kind == "field":
            return self.step().text.strip("`")
        if token.kind != "word" or token.text.casefold() in _KEYWORDS:
            raise self.refusal()
        if self.tokens[self.index + 1].text == "(":
            raise malformed_odsql(self.query[token.position :])
        return self.step().text

    def literal(self) -> Literal:
        token = self.here
        if token.is_word("true", "false"):
            return self.step().text.casefold() == "true"
        if token.kind == "word" and self.tokens[self.index + 1].text == "(":
            raise malformed_odsql(self.query[token.position :])
        if token.kind not in ("text", "date", "number"):
            raise self.refusal()
        self.index += 1
        if token.kind == "number":
            return float(token.text)
        return _unquoted(token.text[4:].strip() if token.kind == "date" else token.text)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
