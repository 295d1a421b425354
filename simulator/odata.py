"""The OData filters that Automation accepts: comparisons of `properties/…` joined by `and`, `or` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from model.documents import Document, Json
from model.times import parse_time

type Predicate = Callable[[Document], bool]

_TOKEN: Final = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[()])|(?P<word>[^\s()']+))", re.ASCII)
_OPERATORS: Final[dict[str, Callable[[int], bool]]] = {
    "eq": lambda order: order == 0,
    "ne": lambda order: order != 0,
    "gt": lambda order: order > 0,
    "ge": lambda order: order >= 0,
    "lt": lambda order: order < 0,
    "le": lambda order: order <= 0,
}


class BadFilter(ValueError):
    """The filter cannot be read; the message says where."""


def parse(text: str) -> Predicate:
    """A filter as a test of documents. An empty filter takes everything.

    Raises:
        BadFilter: with what was not understood; the service answers 400 to it.
    """
    tokens = []
    position = 0
    text = text.strip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found or found.end() == position:
            raise BadFilter(f"unexpected {text[position : position + 20]!r} at position {position}")
        tokens.append(found[0].strip())
        position = found.end()
    if not tokens:
        return lambda _: True
    parser = _Parser(tokens)
    predicate = parser.either()
    if parser.rest():
        raise BadFilter(f"unexpected {parser.rest()[0]!r}")
    return predicate


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.place = tokens, 0

    def rest(self) -> list[str]:
        return self.tokens[self.place :]

    def take(self, *wanted: str) -> bool:
        if self.place < len(self.tokens) and self.tokens[self.place].lower() in wanted:
            self.place += 1
            return True
        return False

    def next(self) -> str:
        if self.place >= len(self.tokens):
            raise BadFilter("the filter ends too soon")
        self.place += 1
        return self.tokens[self.place - 1]

    def either(self) -> Predicate:
        choices = [self.all()]
        while self.take("or"):
            choices.append(self.all())
        return lambda document: any(choice(document) for choice in choices)

    def all(self) -> Predicate:
        terms = [self.term()]
        while self.take("and"):
            terms.append(self.term())
        return lambda document: all(term(document) for term in terms)

    def term(self) -> Predicate:
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise BadFilter("a parenthesis is not closed")
            return inner
        path = self.next()
        if path.endswith("/any"):
            return self.any_of(path.removesuffix("/any"))
        return _comparison(path, self.next(), self.next())

    def any_of(self, path: str) -> Predicate:
        """`path/any(m: m eq 'value')`."""
        if not self.take("("):
            raise BadFilter("any needs a parenthesis")
        variable = self.next().rstrip(":")
        self.take(":")
        name, operator, literal = self.next(), self.next(), self.next()
        if name != variable or operator.lower() != "eq" or not self.take(")"):
            raise BadFilter(f"any must compare its variable {variable!r} with eq")
        wanted = _value(literal).lower()

        def holds(document: Document) -> bool:
            values = _at(document, path)
            return isinstance(values, list) and any(str(item).lower() == wanted for item in values)

        return holds


def _comparison(path: str, operator: str, literal: str) -> Predicate:
    if not path.lower().startswith("properties/"):
        raise BadFilter(f"'{path}' is not a property that can be filtered on")
    holds = _OPERATORS.get(operator.lower())
    if holds is None:
        raise BadFilter(f"'{operator}' is not an operator")
    wanted = _value(literal)
    wanted_time = parse_time(wanted)

    def test(document: Document) -> bool:
        value = _at(document, path)
        if value is None:
            return operator.lower() == "ne"
        time = parse_time(value)
        if wanted_time and time:
            return holds((time > wanted_time) - (time < wanted_time))
        left, right = str(value).lower(), wanted.lower()
        return holds((left > right) - (left < right))

    return test


def _value(literal: str) -> str:
    # Strings are quoted; times and guids come bare from some clients and quoted from others.
    return literal[1:-1].replace("''", "'") if literal.startswith("'") else literal


def _at(document: Document, path: str) -> Json:
    here: Json = document
    for part in path.split("/"):
        if not isinstance(here, dict):
            return None
        here = next((value for key, value in here.items() if key.lower() == part.lower()), None)
    return here
