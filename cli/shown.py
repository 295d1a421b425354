"""Text from outside, made fit to be looked at: names, reasons and tags are whatever somebody typed into Azure.

Nothing here knows where the text goes: colours are put beside it and never into it, and a page escapes it once more.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from typing import Final, Literal

from model.documents import ABSENT, Json
from model.resource_ids import InvalidResourceId, ResourceId
from model.times import format_duration, in_words, parse_duration, parse_time

_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Categories of characters that a terminal obeys, or that nobody sees: line breaks, escapes, reversed writing."""
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TOKEN: Final = re.compile(r'"[^"\n]*"|\w+|\s+|.', re.DOTALL)
_ZEROS: Final = re.compile(r"(?<=\d\d:\d\d:\d\d)\.0+(?=Z|[+-]\d\d:?\d\d|$)", re.ASCII)
_LONGEST: Final = 600
_LONG_PATH: Final = 66
_CONTEXT: Final = 44
"""Characters of unchanged text, at most, that are left on each side of a change."""


def shown(text: object, longest: int = _LONGEST) -> str:
    """Any text on one line, every character visible: a line break is shown as `\\n`, an escape as `\\x1b`."""
    value = str(text)
    if len(value) > longest:
        value = f"{value[: longest - 1]}…"
    return "".join(_visible(character) for character in value)


def _visible(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode("ascii")
    return character


def short_guids(text: str) -> str:
    """The text with each GUID cut to its first eight digits: enough to tell them apart by eye."""
    return _GUID.sub(lambda found: f"{found[0][:8]}…", text)


def short_id(resource_id: str) -> str:
    """`d9f78f40…/rg-app/virtualMachines/app-02`: what tells a resource from another, in the order people look."""
    try:
        parsed = ResourceId.parse(resource_id)
    except InvalidResourceId:
        return shown(short_guids(resource_id))
    pairs = [f"{kind}/{name}" for kind, name in zip(parsed.type.split("/"), parsed.names, strict=False)]
    return shown(short_guids("/".join(part for part in (parsed.subscription, parsed.resource_group, *pairs) if part)))


def short_path(path: str) -> str:
    """A request's path, where it is long its last pair behind an ellipsis."""
    whole = shown(short_guids(path))
    if len(whole) <= _LONG_PATH:
        return whole
    return "…/" + "/".join(whole.split("/")[-2:])


def short_time(text: str) -> str:
    """A time without the seven zeros that Azure writes behind its seconds."""
    return _ZEROS.sub("", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a field, and the id behind it where it is a resource that has a name."""

    text: str
    id: str = ""


def value_of(value: Json) -> Value | None:
    """None where the field is absent."""
    match value:
        case str() if value == ABSENT:
            return None
        case str() if value.lower().startswith("/subscriptions/"):
            try:
                return Value(text=shown(ResourceId.parse(value).name), id=short_id(value))
            except InvalidResourceId:
                return Value(text=shown(value))
        case str():
            return Value(text=shown(short_time(value)) if value.strip() else repr(value))
        case None:
            return None
        case bool():
            return Value(text="true" if value else "false")
        case _:
            import json  # noqa: PLC0415 - rarely needed

            return Value(text=shown(json.dumps(value, ensure_ascii=False)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a long text: what stays, what goes, what comes."""

    kind: Literal["same", "gone", "new"]
    text: str


def pieces(before: str, after: str) -> tuple[Piece, ...]:
    """The words in which two long texts differ, with a little of what stands around them."""
    left, right = _TOKEN.findall(before), _TOKEN.findall(after)
    found: list[Piece] = []
    operations = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for place, (operation, a, b, c, d) in enumerate(operations):
        if operation == "equal":
            kept = _cut(left[a:b], first=place == 0, last=place == len(operations) - 1)
            found.append(Piece(kind="same", text=shown(short_guids(kept))))
            continue
        if a != b:
            found.append(Piece(kind="gone", text=shown("".join(left[a:b]))))
        if c != d:
            found.append(Piece(kind="new", text=shown("".join(right[c:d]))))
    return tuple(found)


def _cut(tokens: list[str], *, first: bool, last: bool) -> str:
    """Unchanged text next to a change, whole words of it."""
    head, tail = ([] if first else _near(tokens)), ([] if last else _near(tokens[::-1])[::-1])
    if len(head) + len(tail) >= len(tokens):
        return "".join(tokens)
    return f"{''.join(head)} … {''.join(tail)}".removeprefix(" ").removesuffix(" ")


def _near(tokens: list[str]) -> list[str]:
    kept: list[str] = []
    for token in tokens:
        if sum(map(len, kept)) + len(token) > _CONTEXT:
            break
        kept.append(token)
    return kept


def moment(value: datetime | None) -> str:
    """`Thu 12 Mar 02:30`, in UTC."""
    return f"{value:%a} {value.day} {value:%b %H:%M}" if value else "at a time unknown"


def moment_of(text: object) -> str:
    return moment(parse_time(text))


def length(duration: Json) -> str:
    """A length in words, from an ISO 8601 duration."""
    value = parse_duration(duration) or timedelta()
    return in_words(value) if value >= timedelta(minutes=1) else format_duration(value)[2:].lower()


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def in_future(value: timedelta) -> str:
    """How far away something is: `20 h 30 min`, and never `0 min`."""
    return in_words(max(value, timedelta(minutes=1)))
