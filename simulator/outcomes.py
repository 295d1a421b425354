"""How the scripts of both systems end, and what they can set going."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from model.documents import Document, Json
from simulator.guests import Guest

MARKER: Final = "patchwright-outcome: "


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    exit_code: int
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a script can set going beyond the guest's own state."""

    restarted: Callable[[Guest], None]
    """The agent was restarted: it looks at its key anew, and assesses the machine a while later."""
    now: Callable[[], datetime]


def outcome_line(outcome: str, **fields: Json) -> str:
    body: Document = {"outcome": outcome, **fields}
    return f"{MARKER}{json.dumps(body, separators=(',', ':'))}\n"


class Ended(Exception):
    """A script ends before its end."""

    def __init__(self, code: int, outcome: str, fields: Mapping[str, Json]) -> None:
        super().__init__(outcome)
        self.result = ScriptResult(exit_code=code, stdout=outcome_line(outcome, **fields))


def refuse(reason: str, **fields: Json) -> NoReturn:
    raise Ended(3, "refused", {"reason": reason, **fields})


def fail(reason: str, **fields: Json) -> NoReturn:
    raise Ended(1, "failed", {"reason": reason[:300], **fields})
