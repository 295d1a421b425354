"""Deployments with dynamic queries, and machines that these select in vain or not at all."""

from __future__ import annotations

from typing import Final

from model.states import FailureState
from simulator.draft import HOUR, Run
from simulator.stories.book import Book, Story
from simulator.templates import Schedule, Vm

_MISSED: Final = FailureState.SCHEDULE_MISSED_MACHINES
_NO_WORKER: Final = FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW
_TAGGED: Final = {"Patch": "Yes"}
"""What every query asks for, in another spelling: tags have no case."""


def _member(book: Book, group: str, system: str = "Windows", *, has_group: bool = True) -> Vm:
    """A machine that a query for the group selects, if it is for the machine's system."""
    vm = book.machine("pool", system, group=group, tags=_TAGGED, has_group=has_group)
    book.lives(vm)
    return vm


def _group(book: Book) -> tuple[str, str]:
    """A resource group of its own, and its id."""
    group = f"rg-{book.name('pool')}"
    return group, f"/subscriptions/{book.homes[0]}/resourceGroups/{group}"


def _deployed(book: Book, scope: str, schedule: Schedule, *called: Vm) -> str:
    name = f"Dynamic-{called[0].name}"
    return book.deployment(name, [], schedule, [Run(), Run()], query_scopes=[scope], called=called)


def selected_without_a_worker(book: Book) -> None:
    """One was never onboarded, the other's agent beats and has no worker; a third is as it should be."""
    group, scope = _group(book)
    called = _member(book, group)
    book.machine("pool", group=group, tags=_TAGGED, has_group=False, in_scope=False)
    _member(book, group, has_group=False)
    target = _deployed(book, scope, book.weekly(), called)
    book.suffers(_NO_WORKER, target, "advice", "its query selects machines that no run can call", 2)
    book.is_spared([_MISSED], [target], "those that it missed have no worker")


def without_workers(book: Book) -> None:
    """Its agent beats and has no worker; nothing else is wrong with the group."""
    group, scope = _group(book)
    called = _member(book, group)
    _member(book, group, has_group=False)
    target = _deployed(book, scope, book.weekly(), called)
    book.suffers(_NO_WORKER, target, "plan", "its query selects a machine whose agent beats without a worker")


def not_called(book: Book) -> None:
    """It has a worker, and its tags were as they are when the run began; or a day before that."""
    group, scope = _group(book)
    called, missed = _member(book, group), _member(book, group)
    schedule = book.weekly()
    if book.rng.random() < 0.5:
        book.remembers(missed, schedule.run(1) - 9 * HOUR, patch="Yes")
        book.remembers(missed, schedule.run(1) + 9 * HOUR, patch="No")
    target = _deployed(book, scope, schedule, called)
    book.suffers(_MISSED, target, "advice", "its newest run did not call a machine that its query selects")
    book.is_spared([_NO_WORKER], [target], "the machine that it missed has a worker")


def not_to_be_called(book: Book) -> None:
    """Made since the run; of another system; with another tag; switched off and never onboarded."""
    group, scope = _group(book)
    called, new = _member(book, group), _member(book, group)
    schedule = book.weekly()
    book.remembers(new, schedule.run(1) + 5 * HOUR, "Create")
    _member(book, group, "Linux")
    other = book.machine("pool", group=group, tags={"Patch": "No"})
    book.lives(other)
    book.machine("pool", group=group, tags=_TAGGED, running=False, has_group=False, in_scope=False)
    target = _deployed(book, scope, schedule, called)
    book.is_spared([_MISSED, _NO_WORKER], [target], "its query does not, or did not, select those that it left out")


STORIES: Final = (
    Story(3, selected_without_a_worker, injury=True),
    Story(2, not_called, injury=True),
    Story(5, not_to_be_called),
)
"""Those of large estates."""
