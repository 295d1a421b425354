"""Hybrid worker groups, and the jobs that a run competed with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from adapters import parsing
from adapters.arm import Arm, id_of
from model.documents import Document, at, text_at
from model.facts import Job, MachineRun, SystemGroup, UpdateRun, Usage, UserWorker
from model.times import format_time, parse_time

MOST_RUNS: Final = 20
"""Runs, the newest, whose jobs one sweep asks for: each is a list of its own."""
LONGEST_JOB: Final = timedelta(hours=6)
"""A job of Update Management ends with its window, which is six hours at most."""
STARTING: Final = timedelta(minutes=5)
"""A run's own jobs start within minutes of it."""
_WAITING: Final = ("New", "Activating", "Running")


def worker_groups(arm: Arm, account: str) -> list[Document]:
    """Every hybrid worker group of the account, people's and Update Management's. Raises as `Arm.get` does."""
    return arm.all_of(f"{account}/hybridRunbookWorkerGroups")


def user_workers(arm: Arm, groups: Iterable[Document]) -> tuple[UserWorker, ...]:
    """The members of people's groups: a request a group. Raises as `Arm.get` does."""
    found: list[UserWorker] = []
    for group in groups:
        if not parsing.is_system_group(group):
            path = id_of(group, "hybrid runbook worker groups")
            workers = arm.all_of(f"{path}/hybridRunbookWorkers")
            found += [parsing.user_worker(_name(group, path), worker) for worker in workers]
    return tuple(found)


def system_groups(groups: Iterable[Document]) -> dict[str, SystemGroup]:
    """Update Management's own groups, by lower-case id; their names say whose they are. Raises as `Arm.get` does."""
    found: dict[str, SystemGroup] = {}
    for group in groups:
        if parsing.is_system_group(group):
            id_ = id_of(group, "hybrid runbook worker groups").lower()
            name = _name(group, id_)
            # `<computer>_<identity>`: a computer's name has no underscore of its own after its last one.
            computer, _, identity = name.rpartition("_")
            found[id_] = SystemGroup(id=id_, name=name, computer=computer.lower(), source_computer_id=identity.lower())
    return found


def _name(group: Document, path: str) -> str:
    return text_at(group, "name") or path.rsplit("/", 1)[-1]


def failed_to_start(runs: Iterable[UpdateRun], machine_runs: Iterable[MachineRun]) -> list[tuple[str, datetime]]:
    """Runs in which a machine failed to start, and when they started, newest first."""
    failed = {part.run for part in machine_runs if part.status == "failedtostart"}
    found = [(run.id, run.start) for run in runs if run.id in failed and run.start]
    return sorted(found, key=lambda run: run[1], reverse=True)


def jobs_around(arm: Arm, account: str, start: datetime) -> tuple[Job, ...]:
    """The jobs that may have been under way when a run started. Raises as `Arm.get` does."""
    return tuple({job.id: job for job in map(_job, job_documents_around(arm, account, start))}.values())


def job_documents_around(arm: Arm, account: str, start: datetime) -> list[Document]:
    """The same, as Azure has them. Raises as `Arm.get` does."""
    oldest, newest = format_time(start - LONGEST_JOB), format_time(start + STARTING)
    began = f"properties/startTime ge {oldest} and properties/startTime le {newest}"
    return arm.all_of(f"{account}/jobs", {"$filter": began})


def jobs_waiting(arm: Arm, account: str) -> tuple[Job, ...]:
    """The jobs that have not ended, among them those that wait to start. Raises as `Arm.get` does."""
    return tuple({job.id: job for job in map(_job, job_documents_waiting(arm, account))}.values())


def job_documents_waiting(arm: Arm, account: str) -> list[Document]:
    """The same, as Azure has them. Raises as `Arm.get` does."""
    filters = ({"$filter": f"properties/status eq '{status}'"} for status in _WAITING)
    return [document for wanted in filters for document in arm.all_of(f"{account}/jobs", wanted)]


def _job(document: Document) -> Job:
    return Job(
        id=id_of(document, "jobs").lower(),
        runbook=text_at(document, "properties.runbook.name"),
        status=text_at(document, "properties.status").lower(),
        created=parse_time(at(document, "properties.creationTime")),
        start=parse_time(at(document, "properties.startTime")),
        end=parse_time(at(document, "properties.endTime")),
    )


def usages(arm: Arm, account: str) -> tuple[Usage, ...]:
    """How much of the account's allowances is used. Raises as `Arm.get` does."""
    return tuple(
        Usage(
            name=text_at(document, "name.value") or text_at(document, "name"),
            unit=text_at(document, "unit"),
            current=_number(document, "currentValue"),
            limit=_number(document, "limit"),
        )
        for document in arm.all_of(f"{account}/usages")
    )


def _number(document: Document, path: str) -> float:
    value = at(document, path)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
