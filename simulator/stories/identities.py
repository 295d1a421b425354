"""Who a machine is: agent identities that changed, are shared, or only look as if."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from model.states import FailureState
from simulator.draft import DAY, HOUR, Part, Run
from simulator.stories.book import ROLES, Book, Changed, Story
from simulator.templates import Schedule, Vm

_CLONE: Final = FailureState.CLONED_MACHINE
_ID: Final = FailureState.SOURCE_ID_CHANGED
_NAME: Final = FailureState.DUPLICATE_COMPUTER_NAME


def source_id_changed(book: Book) -> None:
    """In two deployments, so that both have to be edited."""
    _changed(book, deployments=2)


def source_id_changed_once(book: Book) -> None:
    _changed(book, deployments=1)


def _changed(book: Book, deployments: int) -> None:
    system = "Windows" if book.size < 100 or book.rng.random() < 0.7 else "Linux"
    vm = book.machine(book.rng.choice(ROLES[system]), system)
    book.changed.append(Changed(vm=vm, was=book.guid("old agent", vm.id), deployments=deployments))
    often = "" if deployments == 1 else ", in two deployments"
    why = f"the newest run failed to start with the identity that the machine had before{often}"
    book.suffers(_ID, vm.key, "plan", why)


def source_id_changed_alone(book: Book) -> None:
    vm = book.machine("fax")
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR)
    _lost_identity(book, vm, schedule, f"Weekly-{vm.name}", [vm])
    why = "the deployment names no other machine: without it the target list would be empty"
    book.suffers(_ID, vm.key, "advice", why)


def source_id_changed_too_late(book: Book) -> None:
    vm = book.machine("pos")
    schedule = Schedule(every="Day", next_run=book.now + timedelta(minutes=10), duration=2 * HOUR)
    _lost_identity(book, vm, schedule, f"Morning-{vm.name}", [vm, book.base])
    book.suffers(_ID, vm.key, "advice", "the next run is ten minutes away")


def _lost_identity(book: Book, vm: Vm, schedule: Schedule, name: str, vms: Sequence[Vm]) -> None:
    """A new identity since between the last run but one and the last."""
    was = book.guid("old agent", vm.id)
    book.changes_identity(vm, was, schedule.run(1) - 7 * HOUR)
    before = Run(parts={vm.id: Part(source_id=was)})
    failed = Run(parts={vm.id: Part(status="FailedToStart", source_id=was)})
    book.deployment(name, vms, schedule, [before, before, failed])


def clones(book: Book) -> None:
    _clones(book, book.rng.randint(2, min(4, max(2, book.room // 10))))


def clones_with_a_user_worker(book: Book) -> None:
    _clones(book, 2 if book.room < 15 else 3, user_worker=True)


def _clones(book: Book, count: int, *, user_worker: bool = False) -> None:
    role = f"farm{chr(ord('a') + book.names.get('farm', 0) % 26)}"
    book.names["farm"] = book.names.get("farm", 0) + 1
    first = book.machine(role, group="rg-farm")
    others = [book.machine(role, group="rg-farm", source_id=first.source_id, has_group=False) for _ in range(count - 1)]
    # The last was made out of the others' image before anyone put it into the scope.
    if not user_worker:
        book.in_scope.pop(others[-1].vm_id, None)
    book.in_scope |= {first.vm_id: None}
    for vm in (first, *others):
        book.lives(vm, days=2)
        why, then = f"one SourceComputerId, {count} machines", "plan"
        if user_worker and vm is others[-1]:
            why, then = "the registry key also holds a user hybrid worker's registration", "advice"
            group = book.name("Batch-Workers")
            book.joins(vm, group, "User")
        book.suffers(_CLONE, vm.key, then, why)


def reinstalled(book: Book) -> None:
    vm = book.machine("app")
    when = book.now - book.rng.randint(16, 20) * DAY
    book.changes_identity(vm, book.guid("old agent", vm.id), when)
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR)
    book.deployment(f"Weekly-{vm.name}", [vm], schedule, [Run(), Run()])
    book.is_spared([_ID], [vm.key], "the identity changed long ago and the deployment runs with the current one")


def healed(book: Book) -> None:
    vm = book.machine("mail")
    was = book.guid("old agent", vm.id)
    schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR)
    book.changes_identity(vm, was, schedule.run(2) - 7 * HOUR)
    runs = [
        Run(parts={vm.id: Part(source_id=was)}),
        Run(parts={vm.id: Part(status="FailedToStart", source_id=was)}),
        Run(),
    ]
    book.deployment(f"Weekly-{vm.name}", [vm, book.base], schedule, runs)
    book.is_spared([_ID], [vm.key], "a later run of the same deployment succeeded with the new identity")


def same_name_twice(book: Book) -> None:
    name = book.name("print")
    twins = [book.machine("print", name=name, computer=name, group=group) for group in ("rg-blue", "rg-green")]
    for vm in twins:
        book.lives(vm)
        book.ordinary["Windows"].append(vm)
        book.suffers(_NAME, vm.key, "advice", "another machine bears the same computer name")
    book.is_spared([_ID, _CLONE], [vm.key for vm in twins], "one computer name, but two machines and two identities")


def new_agent(book: Book) -> None:
    vm = book.machine("web")
    book.lives(vm)
    other = book.guid("new agent", vm.id)
    book.beats(vm, since=book.now - 3 * DAY, source_id=other, new_agent=True)
    book.ordinary["Windows"].append(vm)
    book.is_spared([_ID, _CLONE], [vm.key], "the second identity belongs to the Azure Monitor Agent")


def swapped_byte_order(book: Book) -> None:
    vm = book.machine("db", "Linux", swapped=True)
    book.lives(vm)
    book.ordinary["Linux"].append(vm)
    book.is_spared([_ID, _CLONE], [vm.key], "the heartbeat has the VM's id in the other byte order")


def moved(book: Book) -> None:
    vm = book.machine("crm")
    there = book.elsewhere(vm, "rg-legacy")
    hours_ago = book.now - book.rng.randint(3, 9) * HOUR
    book.beats(there, since=book.now - 3 * DAY, until=hours_ago)
    book.beats(vm, since=hours_ago + timedelta(minutes=5))
    book.is_assessed(vm)
    book.is_spared([_ID, _CLONE], [vm.key, there.key], "one machine that was moved: the same vmId under both ids")


def restored_from_backup(book: Book) -> None:
    vm = book.machine("doc")
    gone = book.elsewhere(vm, "rg-doc", name=f"{vm.name}-old", vm_id=book.guid("gone", vm.id))
    book.beats(gone, since=book.now - 9 * DAY, until=book.now - 4 * DAY)
    book.beats(vm, since=book.now - 3 * DAY)
    book.is_assessed(vm)
    why = "restored with the identity of a machine that has been gone for days"
    book.is_spared([_ID, _CLONE], [vm.key, gone.key], why)


def clones_and_one_that_is_retired(book: Book) -> None:
    """Three of one image, and one of them has been off for days; a pair of which only one is left."""
    for count in (3, 2):
        first = book.machine("kiosk", group="rg-kiosk")
        others = [
            book.machine("kiosk", group="rg-kiosk", source_id=first.source_id, has_group=False, running=number > 0)
            for number in range(count - 1)
        ]
        retired = others[0]
        book.beats(retired, since=book.now - 20 * DAY, until=book.now - 10 * DAY)
        alive = [first, *others[1:]]
        for vm in alive:
            book.lives(vm, days=2)
        why = "one image's identity, but the other machines with it have been off for days"
        book.is_spared([_CLONE, _ID, FailureState.NO_HEARTBEAT], [retired.key], "it has been off for days")
        if len(alive) == 1:
            book.is_spared([_CLONE], [first.key], why)
        else:
            for vm in alive:
                book.suffers(_CLONE, vm.key, "plan", "one SourceComputerId, two machines that beat; a third is off")


def stopped_with_another_identity(book: Book) -> None:
    """It took another identity and was switched off before its deployment ran: it starts nothing under any."""
    schedule = book.weekly()
    vm = book.machine("till", running=False, worker_seen=schedule.run(1) - 9 * HOUR)
    was = book.guid("old agent", vm.id)
    changed = schedule.run(1) - 3 * DAY
    book.beats(vm, since=changed - 5 * DAY, until=changed - HOUR, source_id=was)
    book.beats(vm, since=changed, until=schedule.run(1) - 9 * HOUR)
    before = Run(parts={vm.id: Part(source_id=was)})
    failed = Run(parts={vm.id: Part(status="FailedToStart", source_id=was)})
    book.deployment(f"Weekly-{vm.name}", [vm, book.base], schedule, [before, failed])
    book.suffers(FailureState.VM_STOPPED, vm.key, "advice", "stopped when its deployment ran; its identity is second")
    book.is_spared([_ID], [vm.key], "it is stopped, which comes before its other identity")


def cloned_since_its_last_run(book: Book) -> None:
    """It was overwritten with another machine's image: its deployment calls who it was, and it has no self to call."""
    first = book.machine("cell", group="rg-cell")
    other = book.machine("cell", group="rg-cell", source_id=first.source_id, has_group=False)
    book.lives(first)
    schedule, was = book.weekly(), book.guid("old agent", other.id)
    book.changes_identity(other, was, schedule.run(1) - 8 * HOUR)
    before = Run(parts={other.id: Part(source_id=was)})
    failed = Run(parts={other.id: Part(status="FailedToStart", source_id=was)})
    book.deployment(f"Weekly-{other.name}", [other, book.base], schedule, [before, failed])
    for vm in (first, other):
        book.suffers(_CLONE, vm.key, "plan", "one SourceComputerId, two machines")
    book.is_spared([_ID], [other.key], "the identity that it has now is not its own, which comes first")


def rebuilt_elsewhere(book: Book) -> None:
    """Deleted some hours ago and built anew under the same name, in another group and with another identity."""
    name = book.name("build-agent")
    old = book.machine("build", name=name, group="rg-build-old", exists=False)
    new = book.machine("build", name=name, group="rg-build-new")
    book.beats(old, since=book.now - 9 * DAY, until=book.now - 6 * HOUR)
    book.beats(new, since=book.now - 5 * HOUR)
    book.is_assessed(new)
    states = [_NAME, _CLONE, _ID, FailureState.VM_DELETED, FailureState.VM_MOVED]
    book.is_spared(states, [old.key, new.key], "the other machine of its name is gone")


def short_and_full_name(book: Book) -> None:
    """In a domain and outside of it: what agents call them is not the same."""
    name = book.name("ntp")
    for system in ("Windows", "Linux"):
        vm = book.machine("ntp", system, name=name, group=f"rg-ntp-{system.lower()}")
        book.lives(vm)
        book.is_spared([_NAME, _CLONE, _ID], [vm.key], "one is in a domain, the other bears the short name alone")


STORIES: Final = (
    Story(5, clones_and_one_that_is_retired, injury=True),
    Story(1, stopped_with_another_identity, injury=True),
    Story(2, cloned_since_its_last_run, injury=True),
    Story(1, rebuilt_elsewhere),
    Story(2, short_and_full_name),
)
"""Those of large estates, beside the first ones."""
