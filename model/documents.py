"""JSON values as Azure sends them, and the comparison of two of them field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Document = dict[str, Json]

ABSENT: Final = "(absent)"
"""How a field that one side lacks is shown in a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs: `field` is a dotted path, `[n]` for a place in a list."""

    field: str
    before: Json
    after: Json


def differences(before: Json, after: Json, path: str = "") -> Iterator[Change]:
    """Every leaf that differs, in document order. Null counts as absent, as Azure treats optional properties.

    Lists of plain values are compared as a whole set of entries, so that removing one entry of a thousand is one
    line: an entry only one side has is a change of its own.
    """
    match before, after:
        case dict(), dict():
            for key in [*before, *(k for k in after if k not in before)]:
                yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        case list(), list() if all(not isinstance(v, dict | list) for v in [*before, *after]):
            if before == after:
                return
            gone = [v for v in before if v not in after]
            new = [v for v in after if v not in before]
            if not gone and not new:
                yield Change(field=path, before=before, after=after)
            for value in gone:
                yield Change(field=f"{path}[{before.index(value)}]", before=value, after=ABSENT)
            for value in new:
                yield Change(field=f"{path}[{after.index(value)}]", before=ABSENT, after=value)
        case list(), list():
            for index in range(max(len(before), len(after))):
                left = before[index] if index < len(before) else None
                right = after[index] if index < len(after) else None
                yield from differences(left, right, f"{path}[{index}]")
        case _ if before != after:
            yield Change(
                field=path,
                before=ABSENT if before is None else before,
                after=ABSENT if after is None else after,
            )


def at(document: Mapping[str, Json], path: str) -> Json:
    """The value at a dotted path, or None where any part of the way is absent or not an object."""
    here: Json = dict(document)
    for part in path.split("."):
        if not isinstance(here, dict):
            return None
        here = here.get(part)
    return here


def text_at(document: Mapping[str, Json], path: str) -> str:
    """Like `at`, for text: empty where there is none."""
    value = at(document, path)
    return value if isinstance(value, str) else ""


def list_at(document: Mapping[str, Json], path: str) -> list[Json]:
    """Like `at`, for a list: empty where there is none."""
    value = at(document, path)
    return value if isinstance(value, list) else []
