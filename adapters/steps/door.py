"""What a step may use: reads, and the one way to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.arm import Answer, Arm
from adapters.clients import Clients
from engine.ports import Clock, StepFailed
from model.documents import Document, at
from model.times import format_time, parse_time

_PASSING: Final = frozenset({408, 409, 429})
"""Statuses of a write that may go through later; so may all of 500 and above."""


class Refused(Exception):
    """Nothing may be written now: dry-run lock, kill switch or a lost lease; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Reads and writes as the writing identity."""

    arm: Arm
    clients: Clients
    clock: Clock
    may_write: Callable[[], str | None]

    def write(self, method: str, path: str, body: Document | None = None, api_version: str = "") -> Answer:
        """Send one write, once, and take any answer.

        Raises:
            Refused: nothing may be written now; nothing was sent.
            AzureUnavailable: no answer; the write may have happened.
        """
        url = self.arm.url(path, api_version)
        # The last question before the wire: a lease can be lost while a step reads.
        if reason := self.may_write():
            raise Refused(reason)
        return self.arm.send(method, url, body)


def failed(what: str, answer: Answer, *, restores: bool = False) -> StepFailed:
    """A write that Azure did not take."""
    passing = answer.status in _PASSING or answer.status >= 500
    return StepFailed(reason=f"{what}: {answer.status} {escaped(answer.error)}".rstrip(), retry=passing or restores)


def began(door: Door, request_id: str = "") -> Document:
    """A token that remembers when the step was begun, and the id that Azure gave the write."""
    return {"began": format_time(door.clock.now()), "requestIds": [request_id] if request_id else []}


def since(door: Door, token: Document) -> timedelta:
    """How long ago a step was begun. A token that has lost its time counts as long ago."""
    moment = parse_time(at(token, "began"))
    return door.clock.now() - (moment or datetime.min.replace(tzinfo=door.clock.now().tzinfo))


def escaped(text: str, most: int = 300) -> str:
    """Text from outside for a person to read: one line, no control characters, not too long."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text.strip())
    return line if len(line) <= most else f"{line[: most - 1]}…"
