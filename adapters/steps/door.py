"""What a step may use: reads, and the one way to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.arm import Answer
from adapters.sdk import Hook, Right, Sdk, asked
from engine.ports import Clock, RequestCount
from model.documents import Document, at
from model.secrets import without_secrets
from model.times import format_time, parse_time


class Refused(Exception):
    """Nothing may be written now: dry-run lock, kill switch or a lost lease; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Reads and writes as the writing identity."""

    sdk: Sdk
    requests: RequestCount
    clock: Clock
    may_write: Callable[[], str | None]

    def write(self, right: Right, operation: Callable[[Hook], object]) -> Answer:
        """Carry out one operation that changes something, once.

        Raises:
            Refused: nothing may be written now; nothing was sent.
            Exception: as `adapters.sdk.asked` does.
        """
        # The last question before the wire: a lease can be lost while a step reads.
        if reason := self.may_write():
            raise Refused(reason)
        return asked(right, operation)


def began(door: Door, request_id: str = "") -> Document:
    """A token that remembers when the step was begun, and the id that Azure gave the write."""
    return {"began": format_time(door.clock.now()), "requestIds": [request_id] if request_id else []}


def since(door: Door, token: Document) -> timedelta:
    """How long ago a step was begun. A token that has lost its time counts as long ago."""
    moment = parse_time(at(token, "began"))
    return door.clock.now() - (moment or datetime.min.replace(tzinfo=door.clock.now().tzinfo))


def escaped(text: str, most: int = 300) -> str:
    """Text from outside for a person to read: one line, no control characters, no secret, not too long."""
    line = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in without_secrets(text.strip())
    )
    return line if len(line) <= most else f"{line[: most - 1]}…"
