"""A process that dies at any one of the things that it does to the outside, before or after it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.ports import Entry, Estate, Ledger, Progress, RequestCount, StepProgress, Writer
from model.documents import Document
from model.facts import Facts, Reading
from model.plans import Step


class Death(BaseException):
    """The process dies here. No handler of errors sees it; what was delivered is delivered again."""


@dataclass(slots=True)
class Tripwire:
    """Counts everything that is done to the outside, and is cut once: right after `at` things were done.

    To die after a thing and before anybody has heard of it is to die before the next one: the outside is the same.
    """

    at: int | None = None
    count: int = 0

    def over[T](self, thing: Callable[[], T]) -> T:
        """Do the thing, if we live until then."""
        self.begin()
        answer = thing()
        self.end()
        return answer

    def begin(self) -> None:
        if self.at == 0:
            self._die()

    def end(self) -> None:
        self.count += 1
        if self.count == self.at:
            self._die()

    def _die(self) -> None:
        self.at = None
        raise Death

    @property
    def cut(self) -> bool:
        return self.at is None


@dataclass(frozen=True, slots=True)
class TrippedLedger:
    """A ledger whose every line is over the wire, and every claim and release where `claims`."""

    ledger: Ledger
    wire: Tripwire
    claims: bool = True

    def append(self, entries: Sequence[Entry]) -> tuple[bool, ...]:
        return self.wire.over(lambda: self.ledger.append(entries))

    def entries(self, run: str, *, about: str | None = None, kinds: frozenset[str] | None = None) -> tuple[Entry, ...]:
        # To die while reading is to die before whatever comes next.
        return self.ledger.entries(run, about=about, kinds=kinds)

    def runs(self, limit: int, before: str | None = None) -> tuple[str, ...]:
        return self.ledger.runs(limit, before)

    def claim(self, key: str, holder: str, now: datetime, until: datetime) -> str:
        if not self.claims:
            return self.ledger.claim(key, holder, now, until)
        return self.wire.over(lambda: self.ledger.claim(key, holder, now, until))

    def holders(self, keys: Sequence[str], now: datetime) -> Mapping[str, str]:
        return self.ledger.holders(keys, now)

    def release(self, key: str, holder: str) -> None:
        if not self.claims:
            return self.ledger.release(key, holder)
        return self.wire.over(lambda: self.ledger.release(key, holder))

    def close(self) -> None:
        self.ledger.close()


@dataclass(frozen=True, slots=True)
class TrippedEstate:
    """An estate of which every reading is over the wire."""

    estate: Estate
    wire: Tripwire

    @property
    def requests(self) -> RequestCount:
        return self.estate.requests

    def read(self, readings: frozenset[Reading], queries: Mapping[str, str], progress: Progress) -> Facts:
        return self.wire.over(lambda: self.estate.read(readings, queries, progress))

    def look_closer(self, facts: Facts, ids: frozenset[str]) -> Facts:
        return self.wire.over(lambda: self.estate.look_closer(facts, ids))


@dataclass(frozen=True, slots=True)
class TrippedWriter:
    """A writer of which every call is over the wire."""

    writer: Writer
    wire: Tripwire

    @property
    def requests(self) -> RequestCount:
        return self.writer.requests

    def begin(self, step: Step, step_id: str, ours: Mapping[str, Document]) -> StepProgress:
        return self.wire.over(lambda: self.writer.begin(step, step_id, ours))

    def check(self, step: Step, step_id: str, token: Document) -> StepProgress:
        return self.wire.over(lambda: self.writer.check(step, step_id, token))


def redelivered[**P, T](activity: Callable[P, T]) -> Callable[P, T]:
    """The activity as the host delivers it: again, with the same input, as often as the process dies in it."""

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            try:
                return activity(*args, **kwargs)
            except Death:
                continue

    return called
