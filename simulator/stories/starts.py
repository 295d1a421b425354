"""Machines on which a deployment could not start."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from model.states import FailureState
from simulator.draft import DAY, HOUR, Part, Run
from simulator.stories.book import Book, Story
from simulator.templates import Schedule, Vm, arm_time

_ID: Final = FailureState.SOURCE_ID_CHANGED
_STOPPED: Final = FailureState.VM_STOPPED
_DELETED: Final = FailureState.VM_DELETED
_MOVED: Final = FailureState.VM_MOVED
_UNREACHABLE: Final = FailureState.WORKER_UNREACHABLE
_PURGED: Final = FailureState.WORKER_GROUP_PURGED
_JOBS: Final = FailureState.JOB_LIMIT_REACHED
_CONFLICT: Final = FailureState.LINUX_WORKER_CONFLICT
_TOO_MANY: Final = FailureState.WORKER_JOB_LIMIT_REACHED
_JOB_LIMIT: Final = "Job was suspended as it exceeded the job limit for a Hybrid Worker"
_CONFLICTS: Final = (
    "Unable to register, an existing worker was found",
    "Failed to deregister worker. [response_status=404]",
)


def stopped(book: Book) -> None:
    vm = book.machine("test", running=False)
    next_run = (book.now + 3 * DAY).replace(hour=21, minute=0)
    schedule = Schedule(every="Week", next_run=next_run, duration=2 * HOUR)
    book.beats(vm, since=schedule.run(1) - 4 * DAY, until=schedule.run(1) - 9 * HOUR)
    failed = Run(parts={vm.id: Part(status="FailedToStart")})
    book.deployment(f"Weekly-{vm.name}", [vm, book.base], schedule, [Run(), Run(), failed])
    book.is_spared([_ID], [vm.key], "the machine was stopped; its identity is what it was")
    book.suffers(_STOPPED, vm.key, "advice", "stopped when its deployment ran, and not tagged to be started")


def stopped_and_tagged(book: Book) -> None:
    schedule = Schedule(every="Week", next_run=(book.now + 12 * HOUR).replace(minute=0), duration=2 * HOUR)
    off = schedule.run(1) - 9 * HOUR
    vm = book.machine("test", running=False, tags={"Patchwright-Start": "true"}, worker_seen=off)
    book.beats(vm, since=off - 4 * DAY, until=off)
    _misses(book, vm, schedule)
    book.suffers(_STOPPED, vm.key, "plan", "stopped when its deployment ran; its owner's tag lets it be started")


def stopped_and_not_missed(book: Book) -> None:
    """One was stopped after its run, the other's deployment is disabled."""
    schedule = book.weekly()
    since = book.machine("test", running=False, worker_seen=schedule.run(1) + 9 * HOUR)
    book.beats(since, since=schedule.run(1) - 4 * DAY, until=schedule.run(1) + 9 * HOUR)
    book.deployment(f"Weekly-{since.name}", [since, book.base], schedule, [Run(), Run()])
    asleep = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR, enabled=False)
    unused = book.machine("test", running=False, worker_seen=asleep.run(1) - 9 * HOUR)
    book.beats(unused, since=asleep.run(1) - 4 * DAY, until=asleep.run(1) - 9 * HOUR)
    _misses(book, unused, asleep)
    book.is_spared([_STOPPED], [since.key, unused.key], "no run that comes again misses it")


def _misses(book: Book, vm: Vm, schedule: Schedule, error: str = "", *others: Vm) -> str:
    """A deployment whose newest run failed to start on the machine; answers its id."""
    failed = Run(parts={vm.id: Part(status="FailedToStart", error=error)})
    return book.deployment(f"Weekly-{vm.name}", [vm, *(others or [book.base])], schedule, [Run(), failed])


def deleted(book: Book) -> None:
    vm = book.machine("gone", exists=False)
    schedule = book.weekly()
    book.beats(vm, since=schedule.run(1) - 6 * DAY, until=schedule.run(1) - 5 * HOUR)
    _misses(book, vm, schedule)
    book.suffers(_DELETED, vm.key, "plan", "a deployment calls a VM that does not exist any more")
    book.is_spared([_MOVED, _STOPPED, _ID], [vm.key], "it does not exist any more, under no id")


def deleted_and_named_alone(book: Book) -> None:
    vm = book.machine("gone", exists=False)
    schedule = book.weekly()
    book.beats(vm, since=schedule.run(1) - 6 * DAY, until=schedule.run(1) - 5 * HOUR)
    failed = Run(parts={vm.id: Part(status="FailedToStart")})
    book.deployment(f"Weekly-{vm.name}", [vm], schedule, [Run(), failed])
    book.suffers(_DELETED, vm.key, "advice", "without it the deployment's target list would be empty")


def deleted_and_forgotten(book: Book) -> None:
    vm = book.machine("gone", exists=False)
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR, enabled=False)
    _misses(book, vm, schedule)
    book.is_spared([_DELETED], [vm.key], "only a disabled deployment names it")


def moved_away(book: Book) -> None:
    vm = book.machine("crm")
    there = book.elsewhere(vm, "rg-before")
    schedule = book.weekly()
    when = schedule.run(1) - 20 * HOUR
    book.beats(there, since=when - 5 * DAY, until=when)
    book.beats(vm, since=when + timedelta(minutes=5))
    book.is_assessed(vm)
    _misses(book, there, schedule)
    book.suffers(_MOVED, there.key, "plan", "the deployment calls the resource id that it had before it was moved")
    book.is_spared([_DELETED, _ID], [there.key], "the same vmId lives under another resource id")
    book.is_spared([_ID, FailureState.CLONED_MACHINE], [vm.key], "one machine that was moved")


def unreachable(book: Book) -> None:
    """Its agent beats, and its worker does not answer."""
    seen = book.now - timedelta(minutes=book.rng.randint(70, 3000))
    vm = book.machine("queue", book.rng.choice(("Windows", "Linux")), worker_seen=seen)
    book.lives(vm)
    schedule = book.weekly()
    said = (
        "Failed to start, as hybrid worker was not available when scheduled job started, the hybrid worker was last "
        f"active at {arm_time(schedule.run(1) - HOUR)}"
    )
    _misses(book, vm, schedule, book.rng.choice(("", said)))
    book.suffers(_UNREACHABLE, vm.key, "plan", "it runs and beats, and its worker was not seen for more than an hour")
    why = "its worker does not answer, and nothing else is wrong"
    book.is_spared([_ID, FailureState.NO_HEARTBEAT, _PURGED, _JOBS], [vm.key], why)


def unseen_and_not_missed(book: Book) -> None:
    vm = book.machine("queue", worker_seen=book.now - 3 * HOUR)
    book.lives(vm)
    book.deployment(f"Weekly-{vm.name}", [vm, book.base], book.weekly(), [Run(), Run()])
    book.is_spared([_UNREACHABLE], [vm.key], "its deployment's newest run started on it")


def purged(book: Book) -> None:
    """It was off for forty days, and came back to an account that has purged its worker."""
    vm = book.machine("vault", has_group=False)
    book.beats(vm, since=book.now - 50 * DAY, until=book.now - 40 * DAY)
    book.beats(vm, since=book.now - 20 * HOUR)
    book.is_assessed(vm)
    _misses(book, vm, book.weekly())
    book.suffers(_PURGED, vm.key, "plan", "the account has no worker group for it any more")
    book.is_spared([_ID, _UNREACHABLE, FailureState.REGISTRATION_BLOCKED], [vm.key], "its worker group was purged")


def too_many_jobs(book: Book) -> None:
    """The account ran as many jobs as it may when a run began; or seemed to, and the machine was just off."""
    full = book.rng.random() < 0.7
    schedule = Schedule(every="Day", next_run=(book.now + 18 * HOUR).replace(minute=0), duration=2 * HOUR)
    start = schedule.run(1)
    seen = None if full else start - 9 * HOUR
    vms = [book.machine("rush", running=full, worker_seen=seen) for _ in range(2)]
    for vm in vms:
        if full:
            book.lives(vm)
        else:
            book.beats(vm, since=start - 4 * DAY, until=start - 9 * HOUR)
            book.suffers(_STOPPED, vm.key, "advice", "stopped when its deployment ran, at a busy moment")
    failed = Run(parts={vm.id: Part(status="FailedToStart") for vm in vms})
    book.deployment(f"Daily-{vms[0].name}", [*vms, book.base], schedule, [Run(), failed])
    for number in range(book.rng.randint(46, 50)):
        began = start - timedelta(minutes=book.rng.randint(1, 90))
        book.job(book.guid("busy", start.isoformat(), number), began, start + HOUR)
    if full:
        book.suffers(_JOBS, book.account.lower(), "advice", "it ran as many jobs as it may when a run began", 2)
    else:
        book.is_spared([_JOBS], [book.account.lower()], "busy, but the machines that failed to start were off")


def jobs_of_another_hour(book: Book) -> None:
    """Many jobs ended just before a run in which a machine failed, whose worker does not answer."""
    vm = book.machine("rush", worker_seen=book.now - 5 * HOUR)
    book.lives(vm)
    schedule = book.weekly()
    _misses(book, vm, schedule)
    for number in range(48):
        end = schedule.run(1) - timedelta(minutes=1)
        book.job(book.guid("over", vm.id, number), end - HOUR, end)
    book.suffers(_UNREACHABLE, vm.key, "plan", "its worker does not answer; the account was idle again")


def suspended_jobs(book: Book) -> None:
    """Two runs in a row: the worker's limit explains them, whatever the system."""
    system = book.rng.choice(("Windows", "Linux"))
    vm = book.machine("print", system)
    book.lives(vm)
    failed = Run(parts={vm.id: Part(status="Failed", error=_JOB_LIMIT)})
    book.deployment(f"Weekly-{vm.name}", [vm], book.weekly(), [Run(), failed, failed], system=system)
    book.suffers(_TOO_MANY, vm.key, "advice", "its worker was sent more jobs at once than it takes")
    others = [FailureState.MACHINES_DONT_INSTALL, FailureState.LINUX_RUN_FAILED]
    book.is_spared(others, [vm.key], "its worker was sent more jobs at once than it takes")


def suspended_once(book: Book) -> None:
    vm = book.machine("print")
    book.lives(vm)
    failed = Run(parts={vm.id: Part(status="Failed", error=_JOB_LIMIT)})
    book.deployment(f"Weekly-{vm.name}", [vm], book.weekly(), [failed, Run()])
    book.is_spared([_TOO_MANY, FailureState.MACHINES_DONT_INSTALL], [vm.key], "the newest run went well")


def conflicting_worker(book: Book) -> None:
    vm = book.machine("mq", "Linux")
    book.lives(vm)
    failed = Run(parts={vm.id: Part(status="Failed", error=book.rng.choice(_CONFLICTS))})
    book.deployment(f"Weekly-{vm.name}", [vm], book.weekly(), [Run(), failed], system="Linux")
    book.suffers(_CONFLICT, vm.key, "advice", "the state of an earlier worker is in the way")
    book.is_spared([FailureState.LINUX_RUN_FAILED], [vm.key], "the state of an earlier worker is in the way")


def conflict_that_is_over(book: Book) -> None:
    vm = book.machine("mq", "Linux")
    book.lives(vm)
    failed = Run(parts={vm.id: Part(status="Failed", error=_CONFLICTS[0])})
    book.deployment(f"Weekly-{vm.name}", [vm], book.weekly(), [failed, Run()], system="Linux")
    book.is_spared([_CONFLICT, FailureState.LINUX_RUN_FAILED], [vm.key], "the newest run went well")


STORIES: Final = (
    Story(1, stopped_and_tagged, injury=True),
    Story(0, deleted, injury=True),
    Story(0, deleted_and_named_alone, injury=True),
    Story(1, moved_away, injury=True),
    Story(1, unreachable, injury=True),
    Story(1, purged, injury=True),
    Story(2, too_many_jobs, injury=True),
    Story(1, suspended_jobs, injury=True),
    Story(1, conflicting_worker, injury=True),
    Story(1, jobs_of_another_hour, injury=True),
    Story(2, stopped_and_not_missed),
    Story(0, deleted_and_forgotten),
    Story(1, unseen_and_not_missed),
    Story(1, suspended_once),
    Story(1, conflict_that_is_over),
)
"""Those of large estates, beside the first one."""
