"""What package managers of Linux say when a run fails, as data: which cause it is, and what may be done about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

MOST_CHARACTERS: Final = 1_100_000
"""A job's stream is a mebibyte at most; more of a text is not looked through."""
_LINE: Final = 300
"""Characters of the line that gave a cause away; a line may be the whole output."""


class ActionClass(StrEnum):
    """How far a repair may go by itself."""

    AUTO = "auto"
    """Cheap, and safe to repeat."""
    OPT = "opt"
    """Changes packages or their database: only where somebody switched it on."""
    ADVISE = "advise"
    """A person's, always."""


class InvalidLinuxFailures(ValueError):
    """The data file is wrong; the message names the row and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxFailure:
    """One row: a text of a package manager, and the cause that it means."""

    id: str
    pattern: re.Pattern[str]
    """Searched for line by line, in any case."""
    means: str
    """For people; `{machine}` and `{deployment}` stand for names."""
    action_class: ActionClass
    action: str
    """Id of the remediation, or `none`."""
    advice: tuple[str, ...]
    source: str
    reviewed: date
    """When somebody last compared the row with its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A cause, and the line that told it."""

    failure: LinuxFailure
    line: str


_TEXTS: Final = ("id", "pattern", "means", "class", "action", "source", "reviewed")


def parse_linux_failures(text: str) -> tuple[LinuxFailure, ...]:
    """The rows of a data file in their order.

    Raises:
        InvalidLinuxFailures: it is not a list of rows, or a field of one is missing, of another kind, or used twice.
    """
    try:
        rows: object = json.loads(text)
    except ValueError as error:
        raise InvalidLinuxFailures(f"not JSON: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise InvalidLinuxFailures("not a list of rows")
    found = tuple(_row(number, row) for number, row in enumerate(rows, start=1))
    ids = [row.id for row in found]
    if twice := next((id_ for id_ in ids if ids.count(id_) > 1), None):
        raise InvalidLinuxFailures(f"the id {twice} is there twice")
    return found


def _row(number: int, row: object) -> LinuxFailure:
    if not isinstance(row, dict) or row.keys() != {*_TEXTS, "advice"}:
        raise InvalidLinuxFailures(f"row {number}: its fields are not {', '.join(sorted({*_TEXTS, 'advice'}))}")
    for name in _TEXTS:
        if not isinstance(row[name], str) or not row[name].strip():
            raise InvalidLinuxFailures(f"row {number}: {name} is not a text")
    advice = row["advice"]
    if not isinstance(advice, list) or not advice or not all(isinstance(a, str) and a.strip() for a in advice):
        raise InvalidLinuxFailures(f"row {number}: advice is not a list of texts")
    try:
        return LinuxFailure(
            id=row["id"],
            pattern=re.compile(row["pattern"], re.IGNORECASE),
            means=row["means"],
            action_class=ActionClass(row["class"]),
            action=row["action"],
            advice=tuple(advice),
            source=row["source"],
            reviewed=date.fromisoformat(row["reviewed"]),
        )
    except (ValueError, re.error) as error:
        raise InvalidLinuxFailures(f"row {number} ({row['id']}): {error}") from error


@cache
def linux_failures() -> tuple[LinuxFailure, ...]:
    """The rows of the data file beside the detectors; the order is the precedence, causes before what they bring."""
    return parse_linux_failures((Path(__file__).parent / "data" / "linux_failures.json").read_text(encoding="utf-8"))


def causes(*texts: str) -> tuple[Told, ...]:
    """Every cause that the texts tell of, in the file's order, each with the first line that tells it. Never raises."""
    found: list[Told] = []
    for failure in linux_failures():
        for text in texts:
            if match := failure.pattern.search(text, 0, MOST_CHARACTERS):
                found.append(Told(failure=failure, line=_line(text, match)))
                break
    return tuple(found)


def _line(text: str, match: re.Match[str]) -> str:
    """The line around a match, as plain text and not too long."""
    start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - _LINE // 2)
    end = text.find("\n", match.end())
    line = text[start : min(end if end >= 0 else len(text), start + _LINE)]
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())
