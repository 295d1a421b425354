"""Machines that do not show up as they should: silent, unassessed, out of scope, never registered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from model.states import FailureState
from simulator import templates
from simulator.draft import DAY, HOUR, Part, Run
from simulator.stories.agents import REGISTERED_ELSEWHERE
from simulator.stories.book import Book, Story
from simulator.templates import Vm

_SILENT: Final = FailureState.NO_HEARTBEAT
_UNASSESSED: Final = FailureState.NOT_ASSESSED
_EXCLUDED: Final = FailureState.SCOPE_EXCLUDED
_BLOCKED: Final = FailureState.REGISTRATION_BLOCKED
_ELSEWHERE: Final = FailureState.WRONG_WORKSPACE
_UNREACHABLE: Final = FailureState.WORKER_UNREACHABLE
_PURGED: Final = FailureState.WORKER_GROUP_PURGED
_MONITORING: Final = {"Windows": "MicrosoftMonitoringAgent", "Linux": "OmsAgentForLinux"}
_WITHOUT_UPDATES: Final = '"security", "changeTracking"'


def _silent(book: Book, vm: Vm, since: timedelta) -> None:
    """The machine's agent beat last a while ago; its last scan was shortly before."""
    ended = book.now - since
    book.beats(vm, since=ended - 6 * DAY, until=ended)
    book.is_assessed(vm, when=ended - HOUR)


def silent(book: Book) -> None:
    system = book.rng.choice(("Windows", "Linux"))
    since = timedelta(minutes=book.rng.randint(70, 20 * 24 * 60))
    vm = book.machine("relay", system, worker_seen=book.now - since)
    _silent(book, vm, since)
    book.suffers(_SILENT, vm.key, "plan", "it runs, and its agent does not beat")


def silent_in_a_deployment(book: Book) -> None:
    """The silence comes first: that the worker does not answer, or is gone after 30 days, follows from it."""
    for days in (1, 32):
        schedule = book.weekly()
        ended = schedule.run(1) - 5 * HOUR if days == 1 else book.now - days * DAY
        vm = book.machine("edge", has_group=days < 30, worker_seen=ended)
        _silent(book, vm, book.now - ended)
        failed = Run(parts={vm.id: Part(status="FailedToStart")})
        book.deployment(f"Weekly-{vm.name}", [vm, book.base], schedule, [Run(), failed])
        book.suffers(_SILENT, vm.key, "plan", f"it runs, and its agent has been silent for {days} days or more")
        book.is_spared([_UNREACHABLE, _PURGED, FailureState.SOURCE_ID_CHANGED], [vm.key], "its agent is silent, first")


def switched_off(book: Book) -> None:
    vm = book.machine("lab", running=False)
    _silent(book, vm, 9 * HOUR)
    book.is_spared([_SILENT, FailureState.VM_STOPPED], [vm.key], "it is switched off, and no deployment misses it")


def switched_on_again(book: Book) -> None:
    vm = book.machine("lab", started=book.now - timedelta(minutes=25))
    _silent(book, vm, 9 * HOUR)
    book.is_spared([_SILENT], [vm.key], "it was started less than an hour ago")


def moved_to_the_new_agent(book: Book) -> None:
    vm = book.machine("web", in_scope=False)
    _silent(book, vm, 9 * DAY)
    book.beats(vm, since=book.since(10), source_id=book.guid("new agent", vm.id), new_agent=True)
    extension = "AzureMonitorWindowsAgent"
    book.documents.append(templates.agent_extension(vm, extension, "", publisher="Microsoft.Azure.Monitor"))
    why = "it has moved on to the Azure Monitor Agent, which never carries the solution"
    book.is_spared([_SILENT, _UNASSESSED, _EXCLUDED, _BLOCKED, _ELSEWHERE], [vm.key], why)


def never_onboarded(book: Book) -> None:
    vm = book.machine("plain", has_group=False, in_scope=False)
    book.is_spared([_SILENT, _UNASSESSED, _EXCLUDED, _BLOCKED], [vm.key], "nobody has put it under management")


def gone_for_good(book: Book) -> None:
    vm = book.machine("past", exists=False)
    _silent(book, vm, 3 * DAY)
    why = "it does not exist any more, and nothing names it"
    book.is_spared([_SILENT, _UNASSESSED, FailureState.VM_DELETED], [vm.key], why)


def of_another_workspace(book: Book) -> None:
    system = book.rng.choice(("Windows", "Linux"))
    vm = book.machine("guest", system)
    _silent(book, vm, 5 * DAY)
    other = book.guid("another workspace")
    book.documents.append(templates.agent_extension(vm, _MONITORING[system], other))
    book.suffers(_ELSEWHERE, vm.key, "advice", "its agent reports to another workspace")
    book.is_spared([_SILENT], [vm.key], "it is silent here because its agent reports to another workspace")


def of_two_workspaces(book: Book) -> None:
    vm = book.machine("guest")
    book.lives(vm)
    for name, guid in (("", book.workspace_guid), ("SecondMonitoring", book.guid("another workspace"))):
        book.documents.append(templates.agent_extension(vm, _MONITORING["Windows"], guid, name=name))
    book.suffers(_ELSEWHERE, vm.key, "advice", "its agent reports to two workspaces, which is not supported")


def of_this_workspace(book: Book) -> None:
    vm = book.machine("guest")
    book.lives(vm)
    book.documents.append(templates.agent_extension(vm, _MONITORING["Windows"], book.workspace_guid.upper()))
    book.is_spared([_ELSEWHERE], [vm.key], "its agent reports to this workspace, written in capitals")


def out_of_scope(book: Book) -> None:
    vm = book.machine("branch", book.rng.choice(("Windows", "Linux")), has_group=False, in_scope=False)
    book.beats(vm, since=book.since(3), solutions=_WITHOUT_UPDATES)
    book.suffers(_EXCLUDED, vm.key, "plan", "it beats without the solution, and the scope does not name it")


def just_onboarded(book: Book) -> None:
    """Some minutes ago, some hours ago, and out of an image whose agent wrote identities in capitals."""
    minutes = book.machine("new", has_group=False, in_scope=False)
    book.beats(minutes, since=book.now - timedelta(minutes=20), solutions=_WITHOUT_UPDATES)
    book.is_spared([_EXCLUDED, _BLOCKED], [minutes.key], "it was put under management minutes ago")
    hours = book.machine("new", "Linux")
    book.beats(hours, since=book.now - 3 * HOUR)
    book.is_spared([_UNASSESSED, _BLOCKED], [hours.key], "a first assessment may take six hours")
    capitals = book.machine("new")
    book.beats(capitals, since=book.since(3))
    book.is_assessed(replace(capitals, source_id=capitals.source_id.upper()))
    book.is_spared([_UNASSESSED, _BLOCKED], [capitals.key], "its assessments write the same identity in capitals")


def in_scope_by_its_other_id(book: Book) -> None:
    vm = book.machine("db", "Linux", swapped=True)
    book.in_scope |= {vm.vm_id: None}
    book.beats(vm, since=book.since(2), solutions=_WITHOUT_UPDATES)
    book.is_spared([_EXCLUDED], [vm.key], "the scope names its VM id in the other byte order")


def unassessed(book: Book) -> None:
    for system, hours in (("Windows", book.rng.randint(15, 23)), ("Linux", book.rng.randint(6, 20))):
        vm = book.machine("scan", system)
        book.beats(vm, since=book.since(4))
        book.is_assessed(vm, when=book.now - hours * HOUR)
        book.suffers(_UNASSESSED, vm.key, "plan", f"it beats, and sent its last assessment {hours} hours ago")


def assessed_a_while_ago(book: Book) -> None:
    for system, hours in (("Windows", 13), ("Linux", 4)):
        vm = book.machine("scan", system)
        book.beats(vm, since=book.since(4))
        book.is_assessed(vm, when=book.now - hours * HOUR)
        book.is_spared([_UNASSESSED], [vm.key], f"{hours} hours are not too long between two assessments")


def unassessed_for_good_reason(book: Book) -> None:
    """One was switched off within the hour, the other was switched on two hours ago after days."""
    off = book.machine("lab", running=False)
    book.beats(off, since=book.since(4), until=book.now - timedelta(minutes=40))
    on = book.machine("lab", started=book.now - 2 * HOUR)
    book.beats(on, since=book.now - 9 * DAY, until=book.now - 4 * DAY)
    book.beats(on, since=book.now - 2 * HOUR)
    for vm in (off, on):
        book.is_assessed(vm, when=book.now - 4 * DAY)
    book.is_spared([_UNASSESSED, _SILENT], [off.key, on.key], "it was off when it should have assessed itself")


def never_registered(book: Book) -> None:
    vm = book.machine("shop", has_group=False)
    book.beats(vm, since=book.since(2))
    book.suffers(_BLOCKED, vm.key, "advice", "its agent beats with the solution, and its worker never registered")
    book.is_spared([_UNASSESSED], [vm.key], "nothing assesses it because its worker never registered")


def rejected(book: Book) -> None:
    """Why it never registered its agent says itself."""
    vm = book.machine("shop", has_group=False)
    book.beats(vm, since=book.since(2))
    book.complains(vm, REGISTERED_ELSEWHERE)
    why = "another account holds a worker for it"
    book.suffers(FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT, vm.key, "advice", why)
    book.is_spared([_BLOCKED, _UNASSESSED], [vm.key], why)


def outside_azure(book: Book) -> None:
    """Four machines of Azure Arc: well, disconnected, silent although connected, and out of scope."""
    well, off, quiet = book.arc_machine("plant"), book.arc_machine("plant", connected=False), book.arc_machine("plant")
    book.lives(well)
    book.is_spared([_SILENT, _UNASSESSED, _EXCLUDED, _BLOCKED], [well.key], "a machine outside Azure that is well")
    _silent(book, off, 9 * HOUR)
    book.is_spared([_SILENT, _UNASSESSED], [off.key], "it is not connected to Azure either")
    _silent(book, quiet, 8 * HOUR)
    book.suffers(_SILENT, quiet.key, "advice", "it is connected, its agent is silent, and no script is sent there")
    excluded = book.arc_machine("plant", in_scope=False)
    book.beats(excluded, since=book.since(3), solutions=_WITHOUT_UPDATES)
    book.suffers(_EXCLUDED, excluded.key, "plan", "it beats without the solution, and the scope does not name it")


STORIES: Final = (
    Story(0, outside_azure, injury=True),
    Story(1, silent, injury=True),
    Story(2, silent_in_a_deployment, injury=True),
    Story(1, of_another_workspace, injury=True),
    Story(1, of_two_workspaces, injury=True),
    Story(1, out_of_scope, injury=True),
    Story(2, unassessed, injury=True),
    Story(1, never_registered, injury=True),
    Story(1, rejected, injury=True),
    Story(1, switched_off),
    Story(1, switched_on_again),
    Story(1, moved_to_the_new_agent),
    Story(1, never_onboarded),
    Story(0, gone_for_good),
    Story(1, of_this_workspace),
    Story(3, just_onboarded),
    Story(1, in_scope_by_its_other_id),
    Story(2, assessed_a_while_ago),
    Story(2, unassessed_for_good_reason),
)
"""Those of large estates."""
