"""Software update configurations over time: who is patched, when, and how each run ends.

A deployment remembers, for each machine it names, the agent identity that the machine had when it was added. A
machine that registered anew fails to start until it is removed and added again: two PUTs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from model.documents import Document, Json, at, list_at, text_at
from model.times import parse_duration, parse_time
from model.words import kb_number
from simulator.clock import Clock
from simulator.logs import LogStore
from simulator.machines import GROUP_TYPE, Machines, os_of
from simulator.resources import ResourceStore
from simulator.schedules import next_run, zone_of
from simulator.wire import time_out

RUN_TYPE: Final = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurationRuns"
MACHINE_RUN_TYPE: Final = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurationMachineRuns"
NO_WORKER_GROUP: Final = (
    "Failed to start the runbook. Check the parameters passed. RunbookName Patch-MicrosoftOMSComputer. Exception You "
    "have requested to create a runbook job on a hybrid worker group that does not exist."
)
_EXCEEDED: Final = "MaintenanceWindowExceeded"
_FAILED_TO_START: Final = "FailedToStart"
_FAILED: Final = "Failed"
_RESTART: Final = timedelta(minutes=10)
"""How long after a run Windows Update restarts a machine by its own policy."""
_GROWTH: Final = 1.25
"""What a machine that exceeded a window needs, as a multiple of that window."""
_DEFAULT_WINDOW: Final = timedelta(hours=2)
_NAMESPACE: Final = uuid.UUID("0c1b55f8-6d3a-4f6f-a0a5-6a86c7d5c7d4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine that a deployment addresses."""

    agent: str
    wire: str
    """How runs name it: a resource id, or a computer name."""
    remembered: bool
    """True where the deployment names it; a machine found by a query is looked up at every run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A machine's part in a run that has begun."""

    document: Document
    agent: str
    status: str
    """What it will have come to when it ends."""
    output: str = ""
    """What its package manager ended with, where that kept it from installing."""


class Deployments:
    """All deployments of the account."""

    def __init__(
        self, account: str, resources: ResourceStore, machines: Machines, logs: LogStore, clock: Clock
    ) -> None:
        self.account, self.resources, self.machines, self.logs, self.clock = account, resources, machines, logs, clock
        self._identities: dict[tuple[str, str], str] = {}
        """(deployment, agent) to the identity that the machine had when it was added."""
        self._needed: dict[tuple[str, str], timedelta] = {}
        self._generation: dict[str, int] = {}
        self._reported: set[tuple[object, ...]] = set()
        """(deployment, agent) of which Log Analytics has heard something."""
        if "UpdateRunProgress" in logs.schemas:
            known = "SELECT DISTINCT lower(UpdateRunName), lower(ResourceId) FROM UpdateRunProgress__rows"
            self._reported |= set(logs.sql(known))
        latest = self._latest_machine_runs()
        groups = {str(group["name"]).rpartition("_")[2].lower() for group in resources.of_type(GROUP_TYPE)}
        for document in self._documents():
            name = text_at(document, "name").lower()
            for target in self.targets(document):
                run = latest.get((name, target.agent), {})
                then = text_at(run, "properties.sourceComputerId")
                self._identities[name, target.agent] = then or self.machines.identity(target.agent)
                failed = text_at(run, "properties.status") == _FAILED_TO_START
                # Under the identity that it still has: then its group is gone, and not its identity another one.
                if failed and then and then == self.machines.identity(target.agent) and then.lower() not in groups:
                    self.machines.purged.add(target.agent)
                window = parse_duration(at(run, "properties.configuredDuration"))
                if window and text_at(run, "properties.status").lower() == _EXCEEDED.lower():
                    self._needed[name, target.agent] = window * _GROWTH
            self.schedule(document)

    def adopt(self, before: Document | None, after: Document) -> None:
        """A PUT happened: who was not there before is looked up now, and the next run is planned."""
        name = text_at(after, "name").lower()
        stayed = {target.agent for target in self.targets(before)} if before else set()
        named = {target.agent for target in self.targets(after)}
        for agent in named - stayed:
            self._identities[name, agent] = self.machines.identity(agent)
        for agent in stayed - named:
            self._identities.pop((name, agent), None)
        self.schedule(after)

    def forget(self, name: str) -> None:
        """A DELETE happened."""
        self._generation[name.lower()] = self._generation.get(name.lower(), 0) + 1

    def schedule(self, document: Document) -> None:
        """Plan the next run, and write it into the document."""
        name = text_at(document, "name").lower()
        generation = self._generation[name] = self._generation.get(name, 0) + 1
        schedule = document_at(document, "properties.scheduleInfo")
        # What a fleet says of its next run holds: its schedules may have been moved by more than their start tells.
        planned = parse_time(schedule.get("nextRun"))
        due = next_run(schedule, self.clock.now)
        if planned and planned > self.clock.now and due is not None:
            due = planned
        if due is None:
            return
        schedule["nextRun"] = time_out(due, zone_of(schedule))
        self.clock.at(due, lambda: self._begin(name, generation))

    def targets(self, document: Document) -> list[Target]:
        """The machines that a deployment names; without those of its queries."""
        machines = [
            Target(agent=str(item).lower(), wire=str(item), remembered=True)
            for item in list_at(document, "properties.updateConfiguration.azureVirtualMachines")
        ]
        names = [
            Target(agent=self.machines.agent_named(str(item)), wire=str(item), remembered=True)
            for item in list_at(document, "properties.updateConfiguration.nonAzureComputerNames")
        ]
        return machines + names

    def _documents(self) -> list[Document]:
        return self.resources.within(f"{self.account}/softwareUpdateConfigurations")

    def _latest_machine_runs(self) -> dict[tuple[str, str], Document]:
        latest: dict[tuple[str, str], tuple[datetime, Document]] = {}
        for run in self.resources.of_type(MACHINE_RUN_TYPE):
            computer = text_at(run, "properties.targetComputer")
            agent = computer.lower() if computer.startswith("/") else self.machines.agent_named(computer)
            key = text_at(run, "properties.softwareUpdateConfiguration.name").lower(), agent
            start = parse_time(at(run, "properties.startTime"))
            if start and (key not in latest or latest[key][0] < start):
                latest[key] = start, run
        return {key: run for key, (_, run) in latest.items()}

    def _begin(self, name: str, generation: int) -> None:
        document = self.resources.get(f"{self.account}/softwareUpdateConfigurations/{name}")
        if document is None or self._generation.get(name) != generation:
            return  # deleted or replaced meanwhile
        now = self.clock.now
        run_id = str(uuid.uuid5(_NAMESPACE, f"{name}@{now.isoformat()}"))
        window = parse_duration(at(document, "properties.updateConfiguration.duration")) or _DEFAULT_WINDOW
        targets = [*self.targets(document), *self._queried(document)]
        parts = [self._part(document, target, run_id, window) for target in targets]
        for part in parts:
            self.resources.put(part.document)
        run = self._run_document(document, run_id, parts)
        self.resources.put(run)
        exceeds = any(part.status == _EXCEEDED for part in parts)
        self.clock.at(now + (window if exceeds else window * 0.75), lambda: self._end(run, parts))
        self.schedule(document)

    def _part(self, document: Document, target: Target, run_id: str, window: timedelta) -> _Part:
        name, now = text_at(document, "name"), self.clock.now
        current = self.machines.identity(target.agent)
        stored = self._identities.get((name.lower(), target.agent), "") if target.remembered else current
        if not current or (stored or current).lower() != current.lower():
            status = _FAILED_TO_START
        else:
            status = _EXCEEDED if self._needs(name, target.agent) > window else "Succeeded"
        output = self._obstacle(document, target.agent) if status != _FAILED_TO_START else ""
        status = _FAILED if output else status
        failed = status == _FAILED_TO_START
        error: Json = {"code": None, "message": NO_WORKER_GROUP} if failed else None
        part_id = str(uuid.uuid5(_NAMESPACE, f"{run_id}/{target.agent}"))
        body: Document = {
            "id": f"{self.account}/softwareUpdateConfigurationMachineRuns/{part_id}",
            "name": part_id,
            "type": MACHINE_RUN_TYPE,
            "properties": {
                "targetComputer": target.wire,
                "targetComputerType": "AzureVirtualMachines"
                if target.wire.startswith("/")
                else "NonAzureComputerNames",
                "softwareUpdateConfiguration": {"name": name},
                "status": status if failed else "InProgress",
                "osType": text_at(document, "properties.updateConfiguration.operatingSystem"),
                "correlationId": run_id,
                "sourceComputerId": stored or current,
                "startTime": time_out(now),
                "endTime": time_out(now) if failed else None,
                "configuredDuration": text_at(document, "properties.updateConfiguration.duration"),
                "job": None if failed else {"id": str(uuid.uuid5(_NAMESPACE, f"job/{part_id}"))},
                "error": error,
                "creationTime": time_out(now),
                "createdBy": "",
                "lastModifiedBy": "",
                "lastModifiedTime": time_out(now),
            },
        }
        return _Part(document=body, agent=target.agent, status=status, output=output)

    def _obstacle(self, document: Document, agent: str) -> str:
        """What the machine's package manager cannot do what it is told for; Windows tells its own in the logs."""
        if text_at(document, "properties.updateConfiguration.operatingSystem").lower() != "linux":
            return ""
        return self.machines.guest(agent).linux.obstacle(self.clock.now, _excluded(document))

    def _needs(self, name: str, agent: str) -> timedelta:
        needed = self.machines.guest(agent).needed_window
        return needed if needed is not None else self._needed.get((name.lower(), agent), timedelta())

    def _run_document(self, document: Document, run_id: str, parts: list[_Part]) -> Document:
        now = self.clock.now
        return {
            "id": f"{self.account}/softwareUpdateConfigurationRuns/{run_id}",
            "name": run_id,
            "type": RUN_TYPE,
            "properties": {
                "softwareUpdateConfiguration": {"name": document.get("name")},
                "status": "InProgress",
                "configuredDuration": text_at(document, "properties.updateConfiguration.duration"),
                "osType": text_at(document, "properties.updateConfiguration.operatingSystem"),
                "startTime": time_out(now),
                "endTime": None,
                "computerCount": len(parts),
                "failedCount": 0,
                "tasks": {"preTask": None, "postTask": None},
                "creationTime": time_out(now),
                "createdBy": "",
                "lastModifiedBy": "",
                "lastModifiedTime": time_out(now),
            },
        }

    def _end(self, run: Document, parts: list[_Part]) -> None:
        now, statuses = time_out(self.clock.now), [part.status for part in parts]
        for part in parts:
            if part.status != _FAILED_TO_START:
                _set(part.document, status=part.status, endTime=now, lastModifiedTime=now)
                self._progress(run, part)
                self._job(part)
                self._restart(run, part)
        if any(status in {_FAILED_TO_START, _FAILED} for status in statuses):
            status = "Failed"
        elif _EXCEEDED in statuses:
            status = _EXCEEDED
        else:
            status = "Succeeded"
        failed = sum(status in {_FAILED_TO_START, _FAILED} for status in statuses)
        _set(run, status=status, failedCount=failed, endTime=now, lastModifiedTime=now)

    def _job(self, part: _Part) -> None:
        """The job of a machine that failed, with its output."""
        if part.output:
            name = text_at(part.document, "properties.job.id")
            body: Document = {
                "id": f"{self.account}/jobs/{name}",
                "name": name,
                "type": "Microsoft.Automation/automationAccounts/jobs",
                "properties": {
                    "jobId": name,
                    "status": "Failed",
                    "startTime": at(part.document, "properties.startTime"),
                    "endTime": at(part.document, "properties.endTime"),
                },
                "output": part.output,
            }
            self.resources.put(body)

    def _restart(self, run: Document, part: _Part) -> None:
        """A machine that restarts by its own policy does so after a run, whatever the deployment says."""
        guest = self.machines.guest(part.agent)
        if text_at(run, "properties.osType").lower() == "windows" and guest.windows.restarts_by_itself():
            when = self.clock.now + _RESTART
            self.clock.at(when, lambda: self.machines.symptoms.restarts(guest, when))

    def _progress(self, run: Document, part: _Part) -> None:
        """What the machine tells Log Analytics of each update: as last time, but what only lacked time is done now."""
        if (text_at(run, "properties.softwareUpdateConfiguration.name").lower(), part.agent) not in self._reported:
            return
        done = "InstallationStatus" if part.status == _EXCEEDED else (
            "CASE WHEN InstallationStatus = 'MaintenanceWindowExceeded' THEN 'Succeeded' ELSE InstallationStatus END"
        )  # fmt: skip
        error = "ErrorResult"
        guest = self.machines.guest(part.agent)
        if part.agent in self.machines.symptoms.install_errors and guest.windows.mended_for_installing():
            done, error = "'Succeeded'", "''"
        deployment = text_at(run, "properties.softwareUpdateConfiguration.name").lower()
        configuration = self.resources.get(f"{self.account}/softwareUpdateConfigurations/{deployment}") or {}
        left_out = sorted(guest.linux.failing - guest.linux.tried(_excluded(configuration)))
        self.logs.sql(
            f"""INSERT INTO UpdateRunProgress__rows BY NAME
            SELECT * REPLACE (?::TIMESTAMP AS TimeGenerated, ? AS CorrelationId, {done} AS InstallationStatus,
                {error} AS ErrorResult)
            FROM UpdateRunProgress__rows WHERE lower(ResourceId) = ? AND lower(UpdateRunName) = ?
                AND NOT coalesce(list_contains(?, Product), false) AND NOT coalesce(list_contains(?, KBID), false)
            QUALIFY CorrelationId = first_value(CorrelationId) OVER (ORDER BY TimeGenerated DESC)""",  # noqa: S608 - names are ours
            self.clock.now.replace(tzinfo=None), text_at(run, "name"), part.agent,
            deployment, left_out, _excluded_updates(configuration),
        )  # fmt: skip

    def _queried(self, document: Document) -> Iterable[Target]:
        """Machines that the deployment's queries find now: scope, location and tags, running or not, with a worker."""
        named = {target.agent for target in self.targets(document)}
        workers = self.machines.workers()
        os = text_at(document, "properties.updateConfiguration.operatingSystem").lower()
        for query in list_at(document, "properties.updateConfiguration.targets.azureQueries"):
            fits = _query(query) if isinstance(query, dict) else None
            for machine in self.resources.of_type("Microsoft.Compute/virtualMachines") if fits else ():
                agent = str(machine["id"]).lower()
                known = self.machines.heartbeats.identities.get(agent, "").lower() in workers
                if fits and fits(machine) and os_of(machine).lower() == os and known and agent not in named:
                    named.add(agent)
                    yield Target(agent=agent, wire=str(machine["id"]), remembered=False)


def _excluded(deployment: Document) -> list[str]:
    """Masks of Linux packages that a deployment leaves out."""
    return [str(m) for m in list_at(deployment, "properties.updateConfiguration.linux.excludedPackageNameMasks")]


def _excluded_updates(deployment: Document) -> list[str]:
    """Numbers of the Windows updates that a deployment leaves out."""
    excluded = list_at(deployment, "properties.updateConfiguration.windows.excludedKbNumbers")
    return [kb_number(str(kb)) for kb in excluded]


def _query(query: Document) -> Callable[[Document], bool]:
    scopes = tuple(str(scope).lower().rstrip("/") + "/" for scope in list_at(query, "scope"))
    locations = {str(location).lower().replace(" ", "") for location in list_at(query, "locations")}
    wanted = document_at(query, "tagSettings.tags")
    every = text_at(query, "tagSettings.filterOperator").lower() != "any"

    def fits(machine: Document) -> bool:
        if not str(machine["id"]).lower().startswith(scopes) or not scopes:
            return False
        if locations and text_at(machine, "location").lower() not in locations:
            return False
        tags = {key.lower(): str(value).lower() for key, value in document_at(machine, "tags").items()}
        tests = [
            tags.get(key.lower())
            in {str(value).lower() for value in (values if isinstance(values, list) else [values])}
            for key, values in wanted.items()
        ]
        return not tests or (all(tests) if every else any(tests))

    return fits


def document_at(document: Document, path: str) -> Document:
    """The object at a path itself, not a copy; an empty one where there is none."""
    here: Json = document
    for part in path.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def _set(document: Document, **properties: Json) -> None:
    document_at(document, "properties").update(properties)
