"""Machines on which a deployment could not start."""

from __future__ import annotations

from typing import Final

from model.states import FailureState
from simulator.draft import DAY, HOUR, Part, Run
from simulator.stories.book import Book
from simulator.templates import Schedule

_ID: Final = FailureState.SOURCE_ID_CHANGED
_STOPPED: Final = FailureState.VM_STOPPED


def stopped(book: Book) -> None:
    vm = book.machine("test", running=False)
    next_run = (book.now + 3 * DAY).replace(hour=21, minute=0)
    schedule = Schedule(every="Week", next_run=next_run, duration=2 * HOUR)
    book.beats(vm, since=schedule.run(1) - 4 * DAY, until=schedule.run(1) - 9 * HOUR)
    failed = Run(parts={vm.id: Part(status="FailedToStart")})
    book.deployment(f"Weekly-{vm.name}", [vm, book.base], schedule, [Run(), Run(), failed])
    book.is_spared([_ID], [vm.key], "the machine was stopped; its identity is what it was")
    book.suffers(_STOPPED, vm.key, "advice", "stopped when its deployment ran, and not tagged to be started")
