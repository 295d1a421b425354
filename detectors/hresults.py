"""HRESULTs: found in whatever text they come in, and looked up in a reviewed table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from model.documents import Document, Json, list_at, text_at

_TABLE: Final = Path(__file__).parent / "data" / "hresults.json"
_SEVERITY: Final = 0x8000_0000
"""The highest bit says that it is an error; codes without it (0x00240005, a restart is needed) are none."""
_CODE: Final = re.compile(
    # Neither a part of a word or a GUID nor of a longer number. Without 0x only what begins with 80, as every code
    # of Windows Update does: other runs of eight hex digits are dates, hashes and the like.
    r"(?<![\w.-])(?:0x(?P<hex>[0-9a-f]{8})|(?P<bare>80[0-9a-f]{6})|(?P<decimal>-\d{9,10}|\d{10}))(?![\w-]|\.\w)",
    re.IGNORECASE | re.ASCII,
)


class Repair(StrEnum):
    """What may be done about a code without a person."""

    RESCAN = "rescan"
    START_UPDATE_SERVICE = "start-update-service"
    RESET_UPDATE_STORE = "reset-update-store"
    GRANT_UPDATE_STORE = "grant-update-store"
    ADVISE = "advise"


class Site(StrEnum):
    """Where the trouble is: what many machines of one server share is the server's."""

    SOURCE = "source"
    MACHINE = "machine"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a code, or a family of codes, says, and what helps."""

    code: str
    """`0x` and eight hex digits, or the family's beginning; empty for all that the table does not have."""
    name: str
    meaning: str
    repair: Repair
    site: Site
    advice: tuple[str, ...]
    """Steps for a person; `{machines}`, `{source}` and `{code}` stand for what they are about."""
    source: str
    reviewed: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    codes: Mapping[str, Meaning]
    families: tuple[Meaning, ...]
    otherwise: Meaning

    def of(self, code: int) -> Meaning:
        """The row of a code, else of its family, else what holds for any code."""
        text = spelled(code)
        family = next((one for one in self.families if text.startswith(one.code)), self.otherwise)
        return self.codes.get(text, family)


class BrokenTable(ValueError):
    """The table of codes is not as it must be; the message names the row."""


def spelled(code: int) -> str:
    """The one spelling of a code: `0x8024402C`."""
    return f"0x{code & 0xFFFF_FFFF:08X}"


def codes_in(text: str) -> tuple[int, ...]:
    """Every error code in a text, in order: hex with and without 0x, signed and unsigned decimal.

    In a chain of exceptions the last one is the innermost, which is the cause of the others.
    """
    found: list[int] = []
    for match in _CODE.finditer(text):
        digits = match["hex"] or match["bare"]
        value = int(digits, 16) if digits else int(match["decimal"])
        if -_SEVERITY <= value <= 0xFFFF_FFFF and value & _SEVERITY and (code := value & 0xFFFF_FFFF) not in found[-1:]:
            found.append(code)
    return tuple(found)


@cache
def table() -> Table:
    """The table as it is in the package. Raises `BrokenTable`."""
    return read_table(_TABLE.read_text(encoding="utf-8"))


def read_table(text: str) -> Table:
    """A table of codes from its JSON.

    Raises:
        BrokenTable: a row lacks something, names an action that there is not, or comes twice.
    """
    try:
        document: Json = json.loads(text)
    except ValueError as error:
        raise BrokenTable(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BrokenTable("not an object")
    codes = [_meaning(row, "code") for row in list_at(document, "codes")]
    families = [_meaning(row, "prefix") for row in list_at(document, "families")]
    for row in codes:
        if not re.fullmatch(r"0x[89A-F][0-9A-F]{7}", row.code):
            raise BrokenTable(f"{row.code!r}: not 0x and eight digits of an error, in capitals")
    for row in families:
        if not re.fullmatch(r"0x[89A-F][0-9A-F]{2,6}", row.code):
            raise BrokenTable(f"{row.code!r}: not the beginning of a code")
    by_code = {row.code: row for row in codes}
    if len(by_code) != len(codes):
        twice = sorted({row.code for row in codes if by_code[row.code] is not row})
        raise BrokenTable(f"{', '.join(twice)}: twice")
    return Table(codes=by_code, families=tuple(families), otherwise=_meaning(document.get("otherwise"), ""))


def _meaning(row: Json, key: str) -> Meaning:
    if not isinstance(row, dict):
        raise BrokenTable(f"a row that is not an object: {row!r:.80}")
    code = text_at(row, key) if key else ""
    place = code or "otherwise"
    advice = [step for step in list_at(row, "advice") if isinstance(step, str) and step]
    if not text_at(row, "meaning") or not text_at(row, "source") or not advice or (key and not text_at(row, "name")):
        raise BrokenTable(f"{place}: name, meaning, source and advice have to be there")
    try:
        return Meaning(
            code=code,
            name=text_at(row, "name"),
            meaning=text_at(row, "meaning"),
            repair=Repair(text_at(row, "action")),
            site=Site(text_at(row, "site")),
            advice=tuple(advice),
            source=text_at(row, "source"),
            reviewed=date.fromisoformat(text_at(row, "reviewed")),
        )
    except ValueError as error:
        raise BrokenTable(f"{place}: {error}") from error


def described(code: int) -> Document:
    """A code as findings carry it in their evidence."""
    row = table().of(code)
    return {
        "code": spelled(code),
        "name": row.name,
        "meaning": row.meaning,
        "action": row.repair.value,
        "advice": [*row.advice],
    }
