"""Writes what a sweep reads into a folder that can be swept or simulated again.

Documents stay as Azure sent them. Logs are thinned to what decisions rest on: of heartbeats the first of each machine
and identity and the newest of each day, of the other tables the newest row of each thing that they tell about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from adapters import graph, hybrid_workers, parsing
from adapters.arm import id_of
from adapters.estate import AT_ONCE, MOST_JOBS, NAMESPACE, SUBSCRIPTIONS_API, AzureEstate
from adapters.jobs import job_output, newest_failures
from adapters.log_queries import NO_TABLE, answer_queries
from engine.ports import AzureUnavailable, Ledger, NotFound, PermissionMissing, Progress, quiet
from model.documents import Document, at, text_at
from model.facts import Row, Unreadable
from model.resource_ids import InvalidResourceId, ResourceId, subscription_of
from model.times import format_time

NEWEST_OF: Final[Mapping[str, str]] = {
    "Update": "SourceComputerId, UpdateID, Product, ProductArch, ProductVersion, Title, UpdateState",
    # What a machine said when it was last well tells of its server, which it does not name while it is unwell.
    "UpdateSummary": "SourceComputerId, WindowsUpdateSetting",
    "UpdateRunProgress": "CorrelationId, SourceComputerId, UpdateId, InstallationStatus",
}
"""By table, the columns of which the newest row is kept."""
OLDEST_OF: Final = frozenset({"Update"})
"""Tables of which the oldest row is kept, too: since when an update is needed."""
EVERY_OF: Final[Mapping[str, str]] = {
    "Event": 'TimeGenerated > ago(7d) and EventLog in~ ("Operations Manager", "Microsoft-SMA/Operational", "System")',
    "Operation": "TimeGenerated > ago(7d)",
}
"""By table, which rows are all kept, because each counts by its time: what a detector may ask of it."""
_RUNS: Final = 20
"""Runs that are looked through for diagnoses."""
_BEAT: Final = "_ResourceId, SourceComputerId, VMUUID, Computer, Category"
_AUTOMATION: Final = "Microsoft.Automation/automationAccounts"
_SUBSCRIPTION: Final = re.compile("/subscriptions/([^/]+)/")
_LOGS: Final = "Microsoft.OperationalInsights/workspaces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what could not be read."""

    documents: int
    rows: int
    missing: tuple[str, ...]
    """In words; empty where the folder is complete. A table that the workspace does not have is not missing."""


def export(estate: AzureEstate, folder: Path, progress: Progress = quiet) -> Exported:
    """Write the estate into `folder`, which is made; files of an earlier export are replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    for part in ("arm", "logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for old in (folder / part).iterdir():
            if old.suffix in {".json", ".jsonl"}:
                old.unlink()
    now = estate.clock.now()
    head = {
        "now": format_time(now),
        "subscriptions": list(estate.subscriptions),
        "account": estate.account,
        "workspace": estate.workspace,
    }
    (folder / "fleet.json").write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
    documents = _Documents(estate, folder / "arm", now, progress)
    documents.write()
    logs = _Logs(estate, folder / "logs", now, progress)
    logs.write()
    return Exported(documents=documents.count, rows=logs.count, missing=(*documents.missing, *logs.missing))


def keep_diagnoses(folder: Path, ledger: Ledger, now: datetime) -> int:
    """Write what machines said of their inside within a day, the newest of each; answers of how many.

    Raises:
        OSError: the folder cannot be written.
    """
    kept: dict[str, Document] = {}
    for run in ledger.runs(_RUNS):
        for entry in reversed(ledger.entries(run, kinds=frozenset({"probed"}))):
            if (text := text_at(entry.body, "text")) and now - entry.at < timedelta(days=1):
                kept.setdefault(entry.about, {"diagnosis": text})
    file = folder / "guest" / "diagnoses.json"
    file.unlink(missing_ok=True)
    if kept:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return len(kept)


class _Documents:
    """The `arm` folder: one file for each type."""

    def __init__(self, estate: AzureEstate, folder: Path, now: datetime, progress: Progress) -> None:
        self.estate, self.arm, self.folder, self.progress = estate, estate.arm, folder, progress
        self.since = {"$filter": f"properties/startTime ge {format_time(now - estate.lookback)}"}
        self.count = 0
        self.missing: list[str] = []

    def write(self) -> None:
        account, workspace, arm = self.estate.account, self.estate.workspace, self.arm
        self.save("automationAccounts", _AUTOMATION, lambda: [arm.get(account)])
        deployments = self.save("softwareUpdateConfigurations", *self._whole_deployments())
        runs, machine_runs = (
            self.save(name, f"{_AUTOMATION}/{name}", partial(arm.all_of, f"{account}/{name}", self.since))
            for name in ("softwareUpdateConfigurationRuns", "softwareUpdateConfigurationMachineRuns")
        )
        groups = self.save(
            "hybridRunbookWorkerGroups",
            f"{_AUTOMATION}/hybridRunbookWorkerGroups",
            lambda: arm.all_of(f"{account}/hybridRunbookWorkerGroups"),
        )
        self.save(
            "hybridRunbookWorkers",
            f"{_AUTOMATION}/hybridRunbookWorkerGroups/hybridRunbookWorkers",
            lambda: self._workers(groups, machine_runs),
        )
        self.save("jobs", f"{_AUTOMATION}/jobs", lambda: self._jobs(runs, machine_runs))
        self.save("usages", f"{_AUTOMATION}/usages", lambda: arm.all_of(f"{account}/usages"))
        self.save("linkedWorkspaces", f"{_AUTOMATION}/linkedWorkspace", self._linked_workspace)
        self.save("providers", "Microsoft.Resources/providers", lambda: self._providers(deployments))
        self.save("workspaces", _LOGS, lambda: [arm.get(workspace)])
        self.save("savedSearches", f"{_LOGS}/savedSearches", lambda: arm.all_of(f"{workspace}/savedSearches"))
        self.save("linkedServices", f"{_LOGS}/linkedServices", lambda: arm.all_of(f"{workspace}/linkedServices"))
        self.save("intelligencePacks", f"{_LOGS}/intelligencePacks", self._intelligence_packs)
        self.save("solutions", "Microsoft.OperationsManagement/solutions", self._solutions)
        self.save("subscriptions", "Microsoft.Resources/subscriptions", lambda: self._subscriptions(deployments))
        self.save("resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups", self._resource_groups)
        self.save("virtualMachines", "Microsoft.Compute/virtualMachines", self._virtual_machines)
        self.save("machines", "Microsoft.HybridCompute/machines", self._arc_machines)
        self.save("extensions", "Microsoft.Compute/virtualMachines/extensions", self._agent_extensions)
        self.save("changes", "Microsoft.Resources/changes", self._changes)

    def save(self, name: str, kind: str, read: Callable[[], Iterable[Document]]) -> list[Document]:
        """Read and write one file; what cannot be read is missing, and its file is not written half."""
        self.progress(name)
        try:
            documents = [{"type": kind} | document | {"id": id_of(document, name)} for document in read()]
        except (AzureUnavailable, PermissionMissing, NotFound) as error:
            self.missing.append(f"{name}: {error}")
            return []
        for document in documents:
            # Azure leaves the type out here and there, or sends it as null.
            document["type"] = document["type"] or kind
        if documents:
            text = json.dumps(documents, indent=1, ensure_ascii=False)
            (self.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        self.count += len(documents)
        return documents

    def _whole_deployments(self) -> tuple[str, Callable[[], Iterable[Document]]]:
        def read() -> Iterable[Document]:
            listed = self.arm.all_of(f"{self.estate.account}/softwareUpdateConfigurations")
            # The list leaves the schedules out.
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return list(pool.map(lambda d: self.arm.get(id_of(d, "software update configurations")), listed))

        return f"{_AUTOMATION}/softwareUpdateConfigurations", read

    def _workers(self, groups: list[Document], machine_runs: list[Document]) -> Iterator[Document]:
        # Update Management has a group of its own for each machine; a sweep looks into people's groups, and into those
        # that a run called in vain.
        failed = [run for run in map(parsing.machine_run, machine_runs) if run.status == "failedtostart"]
        called = {run.source_computer_id for run in failed}
        machines = hybrid_workers.system_groups(groups)
        for group in groups:
            own = machines.get(id_of(group, "hybrid runbook worker groups").lower())
            if own is None or own.source_computer_id in called:
                yield from self.arm.all_of(f"{id_of(group, 'hybrid runbook worker groups')}/hybridRunbookWorkers")

    def _jobs(self, runs: list[Document], machine_runs: list[Document]) -> Iterator[Document]:
        # As a sweep reads them: around the runs in which a machine failed to start, and what those wrote that failed.
        failed = hybrid_workers.failed_to_start(map(parsing.run, runs), map(parsing.machine_run, machine_runs))
        starts = [start for _, start in failed[: hybrid_workers.MOST_RUNS]]
        arm, account = self.estate.arm, self.estate.account
        found = [job for start in starts for job in hybrid_workers.job_documents_around(arm, account, start)]
        if starts:
            found += hybrid_workers.job_documents_waiting(arm, account)
        jobs = {id_of(document, "jobs").lower(): document for document in found}
        told = map(parsing.machine_run, machine_runs)
        for run in newest_failures(run for run in told if run.os != "Windows")[:MOST_JOBS]:
            path = f"{account}/jobs/{run.job}"
            try:
                document = jobs.get(path.lower()) or arm.get(path)
                jobs[path.lower()] = {**document, "output": job_output(arm, account, run.job).text}
            except NotFound:
                # Azure keeps what jobs wrote for thirty days; a sweep cannot read it either.
                continue
        yield from jobs.values()

    def _linked_workspace(self) -> Iterator[Document]:
        path = f"{self.estate.account}/linkedWorkspace"
        # Azure answers with the workspace's id in the place of this document's own.
        if linked := text_at(self.arm.get(path), "id"):
            yield {"id": path, "linkedWorkspaceId": linked}

    def _providers(self, deployments: list[Document]) -> Iterator[Document]:
        wanted = dict.fromkeys(self.estate.subscriptions)
        for scope in (scope for document in deployments for scope in parsing.deployment(document).query_scopes):
            try:
                wanted[subscription_of(scope)] = None
            except InvalidResourceId as error:
                self.missing.append(f"provider of a dynamic query's scope: {error}")
        for subscription in wanted:
            try:
                yield self.arm.get(f"/subscriptions/{subscription}/providers/{NAMESPACE}")
            except (AzureUnavailable, PermissionMissing, NotFound) as error:
                self.missing.append(f"provider of {subscription}: {error}")

    def _intelligence_packs(self) -> Iterator[Document]:
        path = f"{self.estate.workspace}/intelligencePacks"
        # A bare list, without ids.
        for pack in self.arm.bare_list(path):
            identified: Document = {"id": f"{path}/{text_at(pack, 'name')}"}
            yield identified | pack

    def _solutions(self) -> Iterator[Document]:
        workspace = ResourceId.parse(self.estate.workspace)
        group = f"/subscriptions/{workspace.subscription}/resourceGroups/{workspace.resource_group}"
        try:
            yield self.arm.get(f"{group}/providers/Microsoft.OperationsManagement/solutions/Updates({workspace.name})")
        except NotFound:
            return

    def _subscriptions(self, deployments: list[Document]) -> Iterator[Document]:
        for subscription in self.estate.subscriptions:
            yield self.arm.get(f"/subscriptions/{subscription}", SUBSCRIPTIONS_API)
        # Those out of scope of which a deployment names machines: whose tenant they are is a fact of the estate.
        machines = (id_ for document in deployments for id_ in parsing.deployment(document).azure_machines)
        named = {found[1] for id_ in machines if (found := _SUBSCRIPTION.match(id_))}
        if others := named - set(self.estate.subscriptions):
            for document in self.arm.all_of("/subscriptions", api_version=SUBSCRIPTIONS_API):
                if text_at(document, "subscriptionId").lower() in others:
                    yield document

    def _virtual_machines(self) -> Iterator[Document]:
        for subscription in self.estate.subscriptions:
            path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines"
            # The list of all takes no `$expand`: what runs, and how, comes from a second list, with little else.
            views = {id_of(m, "status").lower(): at(m, "properties.instanceView") for m in self._statuses(path)}
            for machine in self.arm.all_of(path):
                properties, view = machine.get("properties"), views.get(id_of(machine, "virtual machines").lower())
                if isinstance(properties, dict) and view is not None:
                    viewed: Document = {**properties, "instanceView": view}
                    yield {**machine, "properties": viewed}
                else:
                    yield machine

    def _resource_groups(self) -> Iterator[Document]:
        for row in graph.rows(self.arm, graph.kql("containers"), self.estate.subscriptions):
            if "/resourcegroups/" in id_of(row, "resource groups").lower():
                yield row

    def _agent_extensions(self) -> Iterable[Document]:
        # Resource Graph has them in pages; Resource Manager would want to be asked machine by machine.
        return graph.rows(self.arm, graph.kql("agents-whole"), self.estate.subscriptions)

    def _changes(self) -> Iterable[Document]:
        # What Resource Graph remembers of what VMs were; what else changed of them tells nothing of runs.
        return graph.rows(self.arm, graph.kql("changes-whole"), self.estate.subscriptions)

    def _statuses(self, path: str) -> list[Document]:
        return self.arm.all_of(path, {"statusOnly": "true"})

    def _arc_machines(self) -> Iterator[Document]:
        for subscription in self.estate.subscriptions:
            yield from self.arm.all_of(f"/subscriptions/{subscription}/providers/Microsoft.HybridCompute/machines")


def _together(answers: Sequence[list[Row] | None]) -> list[Row] | None:
    """All rows, each once; None where an answer is missing."""
    if None in answers:
        return None
    return list({json.dumps(row, sort_keys=True): row for rows in answers for row in rows or ()}.values())


class _Logs:
    """The `logs` folder: one file for each table that the workspace has."""

    def __init__(self, estate: AzureEstate, folder: Path, now: datetime, progress: Progress) -> None:
        self.estate, self.folder, self.now, self.progress = estate, folder, now, progress
        self.count = 0
        self.missing: list[str] = []

    def write(self) -> None:
        try:
            guid = parsing.customer_id(self.estate.arm.get(self.estate.workspace))
        except (AzureUnavailable, PermissionMissing, NotFound) as error:
            self.missing.append(f"logs: {error}")
            return
        self._save("Heartbeat", self._beats(guid))
        since = f"TimeGenerated > datetime({format_time(self.now - self.estate.lookback)})"
        for table, columns in NEWEST_OF.items():
            ends = ("arg_max", "arg_min") if table in OLDEST_OF else ("arg_max",)
            answers = [
                self._asked(guid, {table: f"{table} | where {since} | summarize {end}(TimeGenerated, *) by {columns}"})
                for end in ends
            ]
            self._save(table, iter([_together(answers)]))
        for table, only in EVERY_OF.items():
            self._save(table, iter([self._asked(guid, {table: f"{table} | where {only}"})]))

    def _beats(self, guid: str) -> Iterator[list[Row] | None]:
        """The rows to keep, a day at a time: a whole lookback in one answer would be cut off."""
        start, days = self.now - self.estate.lookback, list[tuple[datetime, datetime]]()
        while start < self.now:
            end = min(start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1), self.now)
            days.append((start, end))
            start = end
        # Since when an agent beats is asked of the last day as well.
        since = {"first beats": self.now - self.estate.lookback, "first beats of a day": self.now - timedelta(days=1)}
        first = "Heartbeat | where TimeGenerated > datetime({}) | summarize arg_min(TimeGenerated, *) by " + _BEAT
        firsts = _together([self._asked(guid, {name: first.format(format_time(when))}) for name, when in since.items()])
        if firsts is None:
            yield None
            return
        for start, end in days:
            # Half open, so that a beat at midnight belongs to one day; what a clock stamps that is ahead is of today.
            until = "" if end == self.now else f" and TimeGenerated < datetime({format_time(end)})"
            within = f"TimeGenerated >= datetime({format_time(start)}){until}"
            newest = f"Heartbeat | where {within} | summarize arg_max(TimeGenerated, *) by {_BEAT}"
            rows = self._asked(guid, {f"beats of {start:%Y-%m-%d}": newest})
            if rows is None:
                yield None
                return
            last = end == self.now
            first_today = [
                row
                for row in firsts
                if (when := str(row.get("TimeGenerated"))) >= format_time(start) and (last or when < format_time(end))
            ]
            # The first beat of a day may be its newest too.
            yield list({json.dumps(row, sort_keys=True): row for row in [*rows, *first_today]}.values())

    def _asked(self, guid: str, query: Mapping[str, str]) -> list[Row] | None:
        (name,) = query
        self.progress(name)
        match answer_queries(self.estate.clients, guid, query)[name]:
            case Unreadable(what=what):
                if NO_TABLE not in what:
                    self.missing.append(what)
                return None
            case rows:
                return list(rows)

    def _save(self, table: str, parts: Iterator[list[Row] | None]) -> None:
        """Write a table's rows in time order; a table of which a part is missing is not written at all."""
        file = self.folder / f"{table}.jsonl"
        with file.open("w", encoding="utf-8") as out:
            for part in parts:
                if part is None:
                    break
                for row in sorted(part, key=lambda row: str(row.get("TimeGenerated"))):
                    kept = {column: value for column, value in row.items() if value is not None}
                    out.write(json.dumps(kept, separators=(",", ":"), ensure_ascii=False) + "\n")
                    self.count += 1
            else:
                return
        file.unlink()
