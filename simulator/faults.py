"""Faults that a test orders: which requests fail, and how.

A fault is a JSON object: `kind`, and which requests it hits. Without a choice it hits every request that matches.

- `kind`: `throttled` (429 with `Retry-After`), `error` (`status`, `code`), `timeout` (waits, then 504), `hang` (waits,
  then cuts the connection), `reset` (cuts the connection), `partial` (a log query answers half its rows and a
  `PartialError`), `query-fails` (one log query, also one of a batch: `status`, `code`), `truncated` (Resource Graph
  answers half its rows and no skip token), `script-fails` (`exitCode`, `stderr`), `script-hangs` (never ends).
- `method`, `path` (a regular expression looked for in path and query string, in any case), `query` (the same, in the
  text of a log query or Resource Graph query, or in a script).
- `nth` (a number or a list: the first matching request is 1), `times` (that many, then no more), `rate` with `seed`.
- `after`: true where the request is carried out and only its answer is lost.
- `retryAfter` and `seconds`: lengths in seconds.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from model.documents import Document, Json


class Kind(StrEnum):
    THROTTLED = "throttled"
    ERROR = "error"
    TIMEOUT = "timeout"
    HANG = "hang"
    RESET = "reset"
    PARTIAL = "partial"
    QUERY_FAILS = "query-fails"
    TRUNCATED = "truncated"
    SCRIPT_FAILS = "script-fails"
    SCRIPT_HANGS = "script-hangs"


TRANSPORT: Final = frozenset({Kind.THROTTLED, Kind.ERROR, Kind.TIMEOUT, Kind.HANG, Kind.RESET})
"""Those that befall a request, whatever it is about."""


class BadFault(ValueError):
    """A fault that was ordered cannot be read; the message names the key."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One order, and how often it has matched and struck."""

    kind: Kind
    method: str = ""
    path: re.Pattern[str] | None = None
    query: re.Pattern[str] | None = None
    nth: frozenset[int] = frozenset()
    times: int | None = None
    rate: float | None = None
    random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - repeatable, not secret
    after: bool = False
    status: int = 500
    code: str = "InternalServerError"
    retry_after: float = 1
    seconds: float = 30
    exit_code: int = 1
    stderr: str = "the script failed, as ordered"
    matched: int = 0
    struck: int = 0

    def strikes(self, method: str, target: str, text: str) -> bool:
        """Whether this fault befalls a request; counts it where it matches."""
        if (
            (self.method and self.method != method.upper())
            or (self.path and not self.path.search(target))
            or (self.query and not self.query.search(text))
        ):
            return False
        self.matched += 1
        spared = (
            (self.nth and self.matched not in self.nth)
            or (self.times is not None and self.struck >= self.times)
            or (self.rate is not None and self.random.random() >= self.rate)
        )
        self.struck += not spared
        return not spared


class Faults:
    """The faults in force, the oldest first; the first that strikes is the one that happens."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []

    def add(self, given: Mapping[str, Json]) -> None:
        self.orders.append(parse_fault(given))

    def clear(self) -> None:
        self.orders.clear()

    def transport(self, method: str, target: str) -> Fault | None:
        return self._first(TRANSPORT, method, target, "")

    def result(self, kind: Kind, method: str, target: str, text: str) -> Fault | None:
        return self._first(frozenset({kind}), method, target, text)

    def script(self, method: str, target: str, text: str) -> Fault | None:
        return self._first(frozenset({Kind.SCRIPT_FAILS, Kind.SCRIPT_HANGS}), method, target, text)

    def _first(self, kinds: frozenset[Kind], method: str, target: str, text: str) -> Fault | None:
        return next((f for f in self.orders if f.kind in kinds and f.strikes(method, target, text)), None)

    def describe(self) -> list[Document]:
        return [{"kind": f.kind.value, "matched": f.matched, "struck": f.struck} for f in self.orders]


_KEYS: Final = frozenset(
    {"kind", "method", "path", "query", "nth", "times", "rate", "seed", "after", "status", "code", "retryAfter"}
    | {"seconds", "exitCode", "stderr"}
)


def parse_fault(given: Mapping[str, Json]) -> Fault:
    """Read an order.

    Raises:
        BadFault: naming the key that is unknown or cannot be used.
    """
    if unknown := given.keys() - _KEYS:
        raise BadFault(f"there is no such key: {', '.join(sorted(unknown))}")
    try:
        kind = Kind(str(given.get("kind")))
    except ValueError:
        raise BadFault(f"kind: must be one of {', '.join(Kind)}") from None
    fault = Fault(
        kind=kind,
        method=str(given.get("method", "")).upper(),
        path=_pattern(given, "path"),
        query=_pattern(given, "query"),
        nth=_places(given),
        rate=_number(given, "rate"),
        after=given.get("after") is True,
        status=int(_number(given, "status") or 500),
        code=str(given.get("code", "InternalServerError")),
    )
    times, seed = _number(given, "times"), _number(given, "seed")
    fault.times = None if times is None else int(times)
    fault.random = random.Random(int(seed or 0))  # noqa: S311 - repeatable, not secret
    fault.retry_after = _or(_number(given, "retryAfter"), fault.retry_after)
    fault.seconds = _or(_number(given, "seconds"), fault.seconds)
    fault.exit_code = int(_or(_number(given, "exitCode"), fault.exit_code))
    fault.stderr = str(given.get("stderr", fault.stderr))
    return fault


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _pattern(given: Mapping[str, Json], key: str) -> re.Pattern[str] | None:
    text = given.get(key)
    if text is None:
        return None
    try:
        return re.compile(str(text), re.IGNORECASE)
    except re.error as error:
        raise BadFault(f"{key}: is not a regular expression: {error}") from error


def _number(given: Mapping[str, Json], key: str) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadFault(f"{key}: must be a number, is {value!r:.40}")
    return value


def _places(given: Mapping[str, Json]) -> frozenset[int]:
    value = given.get("nth")
    places = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(place, int) and place > 0 for place in places):
        raise BadFault(f"nth: must be a number from 1 or a list of such, is {value!r:.40}")
    return frozenset(int(place) for place in places if isinstance(place, int))
