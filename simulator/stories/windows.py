"""Maintenance windows that are too short, and runs that only look as if they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from model.states import FailureState
from model.times import format_duration
from simulator.draft import DAY, EXCEEDED, HOUR, Part, Run
from simulator.stories.book import Book
from simulator.templates import Schedule, Vm

_WINDOW: Final = FailureState.MAINTENANCE_WINDOW_EXCEEDED
_AGENT: Final = FailureState.UPDATE_AGENT_ERROR


def window_exceeded(book: Book) -> None:
    count = 1 if book.size < 1000 else book.rng.randint(2, 12)
    _exceeded(
        book, "backup", count, book.rng.choice((90, 120, 120, 180)), then="plan", why="every run exceeded its window"
    )


def window_at_its_maximum(book: Book) -> None:
    _exceeded(book, "erp", 1, 360, then="advice", why="already at the maximum of six hours")


def window_before_another(book: Book) -> None:
    why = "a longer window would reach into the next run of another deployment of the same machine"
    vm, schedule = _exceeded(book, "build", 1, 120, then="advice", why=why)
    after = Schedule(every="Week", next_run=schedule.next_run + 2.5 * HOUR, duration=3 * HOUR)
    book.deployment(f"After-{vm.name}", [vm], after, [Run(), Run(), Run()])


def _exceeded(book: Book, role: str, count: int, minutes: int, *, then: str, why: str) -> tuple[Vm, Schedule]:
    vms = [book.machine(role) for _ in range(count)]
    window = timedelta(minutes=minutes)
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=window)
    name = f"Weekly-{vms[0].name}"
    for vm in vms:
        book.lives(vm)
        book.guests[vm.key] = {"neededWindow": format_duration(window + timedelta(minutes=30))}
        book.progress(vm, name, schedule, 1, kb="5034439", status=EXCEEDED)
    run = Run(parts={vm.id: Part(status=EXCEEDED) for vm in vms})
    target = book.deployment(name, vms, schedule, [Run(), run, run])
    book.suffers(_WINDOW, target, then, why, count)
    return vms[0], schedule


def one_time_long_past(book: Book) -> None:
    start = (book.now - 25 * DAY).replace(hour=22, minute=0)
    _borrowed(book, "OneTime", Schedule(every="OneTime", next_run=start, duration=2 * HOUR), [EXCEEDED],
                   "a one-time deployment that is over: nothing to widen")  # fmt: skip


def exceeded_with_a_download_failure(book: Book) -> None:
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR)
    name = _borrowed(book, "Monthly-Rollup", schedule, ["", "", EXCEEDED], "the same run failed to download")
    book.progress(book.base, name, schedule, 1, kb="5034768", status="InstallFailed", error="0x80244019")
    book.progress(book.base, name, schedule, 1, kb="5034439", status=EXCEEDED)
    book.suffers(_AGENT, book.base.key, "advice", "an update failed to download: the server does not have it", 0)


def disabled(book: Book) -> None:
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR, enabled=False)
    _borrowed(book, "Disabled", schedule, [EXCEEDED, EXCEEDED], "disabled")


def widened_since(book: Book) -> None:
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=3 * HOUR)
    _borrowed(book, "Widened", schedule, [EXCEEDED, EXCEEDED, ""], "widened since, and the newest run succeeded",
                   before=2 * HOUR)  # fmt: skip


def _borrowed(
    book: Book, name: str, schedule: Schedule, statuses: Sequence[str], why: str, *, before: timedelta | None = None
) -> str:
    """A deployment that names the first ordinary machine only; answers its name."""
    name = book.name(name)
    runs = [
        Run(
            parts={book.base.id: Part(status=status)} if status else {},
            duration=before if status else None,
        )
        for status in statuses
    ]
    target = book.deployment(name, [book.base], schedule, runs)
    book.is_spared([_WINDOW], [target], why)
    return name
