"""The kill switch in every store: a pause in one process stops the others with their next question."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from engine.journal import Journal
from engine.pausing import KillSwitch
from engine.ports import Ledger
from model.states import FailureState
from tests.builders import NOW

type Store = Callable[[], Ledger]

STATE = FailureState.SOURCE_ID_CHANGED


class _Clock:
    def now(self) -> datetime:
        return NOW.astimezone(UTC)

    def sleep_until(self, due: datetime) -> None:
        raise AssertionError("nothing waits here")


def switch(ledger: Ledger) -> KillSwitch:
    return KillSwitch(journal=Journal(ledger=ledger, clock=_Clock()))


def test_a_pause_stops_every_process_with_its_next_question(store: Store) -> None:
    """No cache, no signal, no delay: the other process, which has asked before, is told at once."""
    operator, worker = switch(store()), switch(store())
    assert worker.stops(STATE) is None

    operator.pause(STATE, by="anna", reason="an incident")
    assert worker.stops(STATE) is not None
    assert worker.stops(FailureState.CLOCK_SKEW) is None

    operator.pause(None, by="anna", reason="an incident")
    assert worker.stops(FailureState.CLOCK_SKEW) is not None

    worker.resume(None, by="bert", reason="")
    worker.resume(STATE, by="bert", reason="")
    assert operator.stops(STATE) is None
