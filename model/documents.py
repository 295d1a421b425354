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

    In a list of plain values an entry that only one side has is a change of its own, so that removing one entry of a
    thousand is one line; where entries also changed their order, the whole list is. Lists of objects are compared
    place by place.
    """
    match before, after:
        case dict(), dict():
            for key in [*before, *(k for k in after if k not in before)]:
                yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        case list(), list() if all(not isinstance(v, dict | list) for v in [*before, *after]):
            yield from _plain_lists(before, after, path)
        case list(), list():
            for index in range(max(len(before), len(after))):
                left = before[index] if index < len(before) else None
                right = after[index] if index < len(after) else None
                yield from differences(left, right, f"{path}[{index}]")
        case _ if not _same(before, after):
            yield Change(
                field=path,
                before=ABSENT if before is None else before,
                after=ABSENT if after is None else after,
            )


def _plain_lists(before: list[Json], after: list[Json], path: str) -> Iterator[Change]:
    # To Python, True is 1.
    left, right = [(isinstance(v, bool), v) for v in before], [(isinstance(v, bool), v) for v in after]
    in_left, in_right = frozenset(left), frozenset(right)
    if [v for v in left if v in in_right] != [v for v in right if v in in_left]:
        yield Change(field=path, before=before, after=after)
        return
    for index, value in enumerate(left):
        if value not in in_right:
            yield Change(field=f"{path}[{index}]", before=before[index], after=ABSENT)
    for index, value in enumerate(right):
        if value not in in_left:
            yield Change(field=f"{path}[{index}]", before=ABSENT, after=after[index])


def _same(before: Json, after: Json) -> bool:
    # To Python, True is 1.
    return isinstance(before, bool) is isinstance(after, bool) and before == after


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
