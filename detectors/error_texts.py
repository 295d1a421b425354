"""Texts by which Azure's own components tell what is wrong, as data: which failure state each of them means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

from model.states import FailureState

MOST_CHARACTERS: Final = 16_000
"""More of a text is not looked through: an error says what it is early, and a megabyte says nothing more."""


class SeenIn(StrEnum):
    """Where a text is to be expected; the same words elsewhere mean nothing."""

    EVENT_4502 = "event-4502"
    """Log `Operations Manager`, written by the agent's hybrid worker component."""
    EVENT_15011 = "event-15011"
    """Log `Microsoft-SMA/Operational`."""
    OPERATION = "operation"
    """Table `Operation` of the workspace."""
    MACHINE_RUN = "machine-run"
    """The error of a machine's part in a run."""


class InvalidErrorTexts(ValueError):
    """The data file is wrong; the message names the row and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """One row: whoever says this is in that state."""

    id: str
    """Short name of the cause, for evidence and for those who repair it."""
    seen_in: SeenIn
    pattern: re.Pattern[str]
    """Searched for in the text with its white space made single blanks, in any case."""
    state: FailureState
    means: str
    """What it says of the cause, in words for people."""
    source: str
    reviewed: date
    """When somebody last compared the row with its source."""


def parse_error_texts(text: str) -> tuple[ErrorText, ...]:
    """The rows of a data file in their order.

    Raises:
        InvalidErrorTexts: it is not a list of rows, or a field of one is missing, of another kind, or used twice.
    """
    try:
        rows: object = json.loads(text)
    except ValueError as error:
        raise InvalidErrorTexts(f"not JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidErrorTexts("not a list of rows")
    found = tuple(_row(number, row) for number, row in enumerate(rows, start=1))
    ids = [row.id for row in found]
    if twice := next((id_ for id_ in ids if ids.count(id_) > 1), None):
        raise InvalidErrorTexts(f"the id {twice} is there twice")
    return found


_FIELDS: Final = frozenset({"id", "seenIn", "pattern", "state", "means", "source", "reviewed"})


def _row(number: int, row: object) -> ErrorText:
    if not isinstance(row, dict) or row.keys() != _FIELDS:
        raise InvalidErrorTexts(f"row {number}: its fields are not {', '.join(sorted(_FIELDS))}")
    fields: dict[str, str] = {}
    for name, value in row.items():
        if not isinstance(value, str) or not value.strip():
            raise InvalidErrorTexts(f"row {number}: {name} is not a text")
        fields[name] = value
    try:
        return ErrorText(
            id=fields["id"],
            seen_in=SeenIn(fields["seenIn"]),
            pattern=re.compile(fields["pattern"], re.IGNORECASE),
            state=FailureState(fields["state"]),
            means=fields["means"],
            source=fields["source"],
            reviewed=date.fromisoformat(fields["reviewed"]),
        )
    except (ValueError, re.error) as error:
        raise InvalidErrorTexts(f"row {number} ({fields['id']}): {error}") from error


@lru_cache(maxsize=1)
def error_texts() -> tuple[ErrorText, ...]:
    """The rows of the data file beside the detectors."""
    return parse_error_texts((Path(__file__).parent / "data" / "error_texts.json").read_text(encoding="utf-8"))


def meaning(text: str, seen_in: SeenIn) -> ErrorText | None:
    """The first row that a text matches: the file's order is the precedence. None for a text that no row knows."""
    plain = plain_text(text)
    return next((row for row in error_texts() if row.seen_in is seen_in and row.pattern.search(plain)), None)


def plain_text(text: str) -> str:
    """A text in one line, and not longer than is looked through."""
    return " ".join(text[:MOST_CHARACTERS].split())
