"""Reads the estate from Azure: sets of facts with a handful of requests each; what could not be read is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapters import dynamic_groups, graph, hybrid_workers, parsing
from adapters.arm import Arm
from adapters.clients import Clients
from adapters.jobs import job_output, newest_failures
from adapters.log_queries import answer_queries
from adapters.workspaces import agent_extensions, log_workspace
from engine.ports import AzureUnavailable, Clock, NotFound, PermissionMissing, Progress, RequestCount
from model.documents import Document
from model.dynamic_groups import called_too_few, may_answer, newest_dynamic_runs, selected
from model.facts import (
    VIRTUAL_MACHINE_TYPE,
    AgentExtension,
    Container,
    Deployment,
    Facts,
    Job,
    JobOutput,
    LogWorkspace,
    Machine,
    MachineRun,
    ProviderRegistration,
    Reading,
    ResourceChange,
    Row,
    SavedSearch,
    Subscription,
    SystemGroup,
    Unreadable,
    UpdateRun,
    Usage,
    UserWorker,
    run_commands_of,
    workers_of,
)
from model.resource_ids import InvalidResourceId, ResourceId, subscription_of
from model.times import format_time

AT_ONCE: Final = 6
"""Requests under way at one time: well below what a subscription refills each second."""
MOST_JOBS: Final = 500
"""Outputs of failed jobs that one sweep reads: each is a request and up to a megabyte."""
NAMESPACE: Final = "Microsoft.Automation"
SUBSCRIPTIONS_API: Final = "2022-12-01"
NOT_SUCCEEDED: Final = ("FailedToStart", "MaintenanceWindowExceeded", "Failed", "InProgress")
"""Statuses of machine runs that are worth reading: a fleet that is well has none of them."""


@dataclass(slots=True)
class _Read:
    """What has been read so far; each reading fills its own fields."""

    machines: dict[str, Machine] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    runs: tuple[UpdateRun, ...] = ()
    machine_runs: tuple[MachineRun, ...] = ()
    job_outputs: dict[str, JobOutput] = field(default_factory=dict)
    called: dict[str, frozenset[str]] = field(default_factory=dict)
    changes: dict[str, tuple[ResourceChange, ...]] = field(default_factory=dict)
    user_workers: tuple[UserWorker, ...] = ()
    system_groups: dict[str, SystemGroup] = field(default_factory=dict)
    jobs: dict[str, tuple[Job, ...]] = field(default_factory=dict)
    waiting: tuple[Job, ...] = ()
    usages: tuple[Usage, ...] = ()
    saved_searches: dict[str, SavedSearch] = field(default_factory=dict)
    log_workspace: LogWorkspace | None = None
    agents: tuple[AgentExtension, ...] = ()
    containers: dict[str, Container] = field(default_factory=dict)
    visible_subscriptions: dict[str, Subscription] = field(default_factory=dict)
    providers: dict[tuple[str, str], ProviderRegistration] = field(default_factory=dict)
    rows: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    workspace_guid: str = ""
    unreadable: dict[str, Unreadable] = field(default_factory=dict)


class AzureEstate:
    """The `Estate` of Azure, or of a simulated one."""

    def __init__(
        self,
        clients: Clients,
        clock: Clock,
        *,
        account: str,
        workspace: str,
        subscriptions: Sequence[str],
        lookback: timedelta,
    ) -> None:
        """`account` and `workspace` are resource ids in any spelling; `subscriptions` lower-case GUIDs."""
        self.clients = clients
        self.arm = Arm(clients)
        self.clock = clock
        self.account = account
        self.workspace = workspace
        self.subscriptions = tuple(subscriptions)
        self.lookback = lookback

    @property
    def requests(self) -> RequestCount:
        return self.clients.requests

    def read(self, readings: frozenset[Reading], queries: Mapping[str, str], progress: Progress) -> Facts:
        """See `Estate.read`."""
        now = self.clock.now()
        read = _Read()
        since = now - self.lookback
        groups: Callable[[], list[Document]] = list
        jobs: dict[str, Callable[[], None]] = {
            Reading.MACHINES: lambda: self._machines(read),
            Reading.DEPLOYMENTS: lambda: self._deployments(read),
            Reading.RUNS: lambda: self._runs(read, since),
            Reading.MACHINE_RUNS: lambda: self._machine_runs(read, since),
            Reading.USER_WORKERS: lambda: self._user_workers(read, groups()),
            Reading.SYSTEM_GROUPS: lambda: self._system_groups(read, groups()),
            Reading.SAVED_SEARCHES: lambda: self._saved_searches(read),
            Reading.WORKSPACE: lambda: self._workspace(read),
            Reading.AGENTS: lambda: self._agents(read),
            Reading.SUBSCRIPTIONS: lambda: self._subscriptions(read),
            Reading.CONTAINERS: lambda: self._containers(read),
        }
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reading") as pool:
            started: dict[str, Future[None]] = {}
            if readings & {Reading.USER_WORKERS, Reading.SYSTEM_GROUPS}:
                # One list holds both kinds; asked for first, so that whoever waits for it has a thread to wait in.
                groups = pool.submit(hybrid_workers.worker_groups, self.arm, self.account).result
            # The queries first: they take longest.
            if queries:
                started["workspace"] = pool.submit(self._logs, read, dict(queries), progress)
            for reading, job in jobs.items():
                if reading in readings:
                    started[reading] = pool.submit(_told, progress, reading, job)
            self._read_next(readings, read, started, pool, progress)
            for what, future in started.items():
                _settle(read, what, future)
        if Reading.DYNAMIC_GROUPS in readings and not read.unreadable.keys() & dynamic_groups.RESTS_ON:
            # What the newest runs should have called is known only now.
            progress(Reading.DYNAMIC_GROUPS)
            self._dynamic_groups(read, now)
        return Facts(
            now=now,
            account=self.account.lower(),
            workspace=self.workspace.lower(),
            workspace_guid=read.workspace_guid,
            subscriptions=frozenset(self.subscriptions),
            machines=read.machines,
            deployments=read.deployments,
            runs=read.runs,
            machine_runs=read.machine_runs,
            job_outputs=read.job_outputs,
            called=read.called,
            changes=read.changes,
            user_workers=read.user_workers,
            system_groups=read.system_groups,
            # What waits still may have waited then: the detector looks when each was created.
            jobs={
                run: tuple({job.id: job for job in (*around, *read.waiting)}.values())
                for run, around in read.jobs.items()
            },
            usages=read.usages,
            saved_searches=read.saved_searches,
            log_workspace=read.log_workspace,
            agents=read.agents,
            containers=read.containers,
            visible_subscriptions=read.visible_subscriptions,
            providers=read.providers,
            rows=read.rows,
            unreadable=read.unreadable,
        )

    def _read_next(
        self,
        readings: frozenset[Reading],
        read: _Read,
        started: dict[str, Future[None]],
        pool: ThreadPoolExecutor,
        progress: Progress,
    ) -> None:
        """Begin the readings of which another one says what there is to read."""
        if Reading.JOB_OUTPUTS in readings:
            # The machine runs say which jobs failed, and the machines what system they ran on.
            for first in (Reading.MACHINE_RUNS, Reading.MACHINES):
                if first in started:
                    _settle(read, first, started.pop(first))
            progress(Reading.JOB_OUTPUTS)
            started |= {
                f"job:{run.id}": pool.submit(self._job_output, read, run) for run in self._failed_on_linux(read)
            }
        if Reading.JOBS in readings:
            # Jobs matter around the runs in which a machine failed to start.
            for first in (Reading.RUNS, Reading.MACHINE_RUNS):
                if first in started:
                    _settle(read, first, started.pop(first))
            if failed := hybrid_workers.failed_to_start(read.runs, read.machine_runs):
                started[Reading.JOBS] = pool.submit(_told, progress, Reading.JOBS, lambda: self._jobs(read))
                started |= {
                    f"jobs:{run}": pool.submit(self._jobs_around, read, run, start)
                    for run, start in failed[: hybrid_workers.MOST_RUNS]
                }
        if Reading.PROVIDERS in readings:
            # The deployments' dynamic queries name subscriptions that need the provider too.
            if Reading.DEPLOYMENTS in started:
                _settle(read, Reading.DEPLOYMENTS, started.pop(Reading.DEPLOYMENTS))
            progress(Reading.PROVIDERS)
            started |= {
                f"provider:{subscription}/{NAMESPACE.lower()}": pool.submit(self._provider, read, subscription)
                for subscription in self._with_provider(read)
            }

    def look_closer(self, facts: Facts, ids: frozenset[str]) -> Facts:
        """See `Estate.look_closer`."""
        documents = {id_: document for id_, document in facts.documents.items() if id_ not in ids}
        unreadable = {name: what for name, what in facts.unreadable.items() if name not in ids}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="closer") as pool:
            looks = {id_: pool.submit(self._whole, _spelled(facts, id_)) for id_ in sorted(ids)}
        for id_, look in looks.items():
            try:
                documents[id_] = look.result()
            except NotFound:
                pass
            except (AzureUnavailable, PermissionMissing) as error:
                unreadable[id_] = Unreadable(what=str(error))
        return dataclasses.replace(facts, documents=documents, unreadable=unreadable)

    def _whole(self, arm_id: str) -> Document:
        try:
            if arm_id.endswith(workers_of("")):
                # A list is no resource of its own, and has pages.
                return {"value": [*self.arm.all_of(arm_id)]}
            if arm_id.lower().endswith(run_commands_of("")):
                # What a command is at comes on demand only.
                return {"value": [*self.arm.all_of(arm_id, {"$expand": "instanceView"})]}
            parsed = ResourceId.parse(arm_id)
            query = {"$expand": "instanceView"} if parsed.is_type(VIRTUAL_MACHINE_TYPE) else {}
            return self.arm.get(arm_id, query=query)
        except ValueError as error:
            raise AzureUnavailable(f"{arm_id[:200]!r} is not the id of anything that can be read: {error}") from error

    def _machines(self, read: _Read) -> None:
        virtual = graph.rows(self.arm, graph.kql("machines"), self.subscriptions)
        arc = graph.rows(self.arm, graph.kql("arc-machines"), self.subscriptions)
        found = [parsing.machine(row, is_arc=False) for row in virtual]
        found += [parsing.machine(row, is_arc=True) for row in arc]
        read.machines = {machine.id: machine for machine in found}
        if len(read.machines) != len(found):
            read.machines = {}
            raise AzureUnavailable("Resource Graph: a machine came twice")

    def _deployments(self, read: _Read) -> None:
        documents = self.arm.all_of(f"{self.account}/softwareUpdateConfigurations")
        read.deployments = {d.id: d for d in map(parsing.deployment, documents)}

    def _runs(self, read: _Read, since: datetime) -> None:
        path = f"{self.account}/softwareUpdateConfigurationRuns"
        documents = self.arm.all_of(path, {"$filter": f"properties/startTime ge {format_time(since)}"})
        read.runs = tuple({run.id: run for run in map(parsing.run, documents)}.values())

    def _machine_runs(self, read: _Read, since: datetime) -> None:
        path = f"{self.account}/softwareUpdateConfigurationMachineRuns"
        found: dict[str, MachineRun] = {}
        for status in NOT_SUCCEEDED:
            wanted = f"properties/status eq '{status}' and properties/startTime ge {format_time(since)}"
            for run in map(parsing.machine_run, self.arm.all_of(path, {"$filter": wanted})):
                # One that changes its status between two of the requests is the later one.
                found[run.id] = run
        read.machine_runs = tuple(found.values())

    def _failed_on_linux(self, read: _Read) -> Iterable[MachineRun]:
        """The newest failed run of each Linux machine; of more than `MOST_JOBS`, the newest."""
        runs = newest_failures(run for run in read.machine_runs if _on_linux(run, read))
        for run in runs[MOST_JOBS:]:
            read.unreadable[f"job:{run.id}"] = Unreadable(what=f"job {run.job}: one of more than {MOST_JOBS} failures")
        return runs[:MOST_JOBS]

    def _job_output(self, read: _Read, run: MachineRun) -> None:
        read.job_outputs[run.id] = job_output(self.arm, self.account, run.job)

    def _dynamic_groups(self, read: _Read, now: datetime) -> None:
        known = Facts(
            now=now,
            account=self.account.lower(),
            workspace=self.workspace.lower(),
            workspace_guid=read.workspace_guid,
            subscriptions=frozenset(self.subscriptions),
            deployments=read.deployments,
            runs=read.runs,
        )
        runs, asked, missed = newest_dynamic_runs(known), dict[str, Future[None]](), dict[str, Machine]()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="groups") as pool:
            for deployment in read.deployments.values():
                wanted, run = selected(deployment, read.machines.values()), runs.get(deployment.id)
                if run and called_too_few(deployment, run, wanted):
                    asked[f"called:{run.id}"] = pool.submit(self._called, read, run)
        for what, future in asked.items():
            _settle(read, what, future)
        for deployment in read.deployments.values():
            run = runs.get(deployment.id)
            called = read.called.get(run.id) if run else frozenset()
            if called is not None:
                wanted = selected(deployment, read.machines.values()) - called
                missed |= {id_: read.machines[id_] for id_ in wanted if run or may_answer(read.machines[id_])}
        if len(missed) > dynamic_groups.MOST_MACHINES:
            what = f"{len(missed)} machines that dynamic queries select were not called: too many to look after"
            read.unreadable[Reading.DYNAMIC_GROUPS] = Unreadable(what=what)
        elif missed:
            self._missed(read, missed.values())

    def _called(self, read: _Read, run: UpdateRun) -> None:
        read.called[run.id] = dynamic_groups.targets_of(self.arm, self.account, run.id)

    def _missed(self, read: _Read, machines: Iterable[Machine]) -> None:
        try:
            read.changes = dynamic_groups.changes_of(self.arm, machines, self.subscriptions)
        except (AzureUnavailable, PermissionMissing, NotFound) as error:
            read.unreadable[Reading.DYNAMIC_GROUPS] = Unreadable(what=str(error))
        queries = {str(number): text for number, text in enumerate(dynamic_groups.agents_queries(machines))}
        found: list[Row] = []
        try:
            guid = read.workspace_guid or parsing.customer_id(self.arm.get(self.workspace))
        except (AzureUnavailable, PermissionMissing, NotFound) as error:
            read.unreadable[dynamic_groups.AGENTS] = Unreadable(what=f"workspace: {error}")
            return
        for answer in answer_queries(self.clients, guid, queries).values():
            match answer:
                case Unreadable():
                    read.unreadable[dynamic_groups.AGENTS] = answer
                case rows:
                    found += rows
        read.rows[dynamic_groups.AGENTS] = tuple(found)

    def _user_workers(self, read: _Read, groups: list[Document]) -> None:
        read.user_workers = hybrid_workers.user_workers(self.arm, groups)

    def _system_groups(self, read: _Read, groups: list[Document]) -> None:
        read.system_groups = hybrid_workers.system_groups(groups)

    def _jobs(self, read: _Read) -> None:
        read.waiting = hybrid_workers.jobs_waiting(self.arm, self.account)
        read.usages = hybrid_workers.usages(self.arm, self.account)

    def _jobs_around(self, read: _Read, run: str, start: datetime) -> None:
        read.jobs[run] = hybrid_workers.jobs_around(self.arm, self.account, start)

    def _subscriptions(self, read: _Read) -> None:
        documents = self.arm.all_of("/subscriptions", api_version=SUBSCRIPTIONS_API)
        read.visible_subscriptions = {one.id: one for one in map(parsing.subscription, documents)}

    def _containers(self, read: _Read) -> None:
        rows = graph.rows(self.arm, graph.kql("containers"), self.subscriptions)
        read.containers = {container.id: container for container in map(parsing.container, rows)}

    def _saved_searches(self, read: _Read) -> None:
        documents = self.arm.all_of(f"{self.workspace}/savedSearches")
        read.saved_searches = {search.id: search for search in map(parsing.saved_search, documents)}

    def _workspace(self, read: _Read) -> None:
        read.log_workspace = log_workspace(self.arm, self.account, self.workspace)

    def _agents(self, read: _Read) -> None:
        read.agents = agent_extensions(self.arm, self.subscriptions)

    def _with_provider(self, read: _Read) -> Iterable[str]:
        """Subscriptions that need the provider: those in scope and those that dynamic queries name."""
        wanted = dict.fromkeys(self.subscriptions)
        for deployment in read.deployments.values():
            for scope in deployment.query_scopes:
                try:
                    wanted[subscription_of(scope)] = None
                except InvalidResourceId as error:
                    read.unreadable[f"provider:{scope}/{NAMESPACE.lower()}"] = Unreadable(
                        what=f"the scope of a dynamic query of {deployment.name}: {error}"
                    )
        return wanted

    def _provider(self, read: _Read, subscription: str) -> None:
        document = self.arm.get(f"/subscriptions/{subscription}/providers/{NAMESPACE}")
        key = (subscription, NAMESPACE.lower())
        read.providers[key] = parsing.provider(subscription, NAMESPACE, document)

    def _logs(self, read: _Read, queries: Mapping[str, str], progress: Progress) -> None:
        progress("logs")
        try:
            read.workspace_guid = parsing.customer_id(self.arm.get(self.workspace))
        except (AzureUnavailable, PermissionMissing, NotFound) as error:
            read.unreadable |= dict.fromkeys(queries, Unreadable(what=f"workspace: {error}"))
            raise
        for name, answer in answer_queries(self.clients, read.workspace_guid, queries).items():
            match answer:
                case Unreadable():
                    read.unreadable[name] = answer
                case rows:
                    read.rows[name] = rows


def _on_linux(run: MachineRun, read: _Read) -> bool:
    machine = read.machines.get(run.target)
    return (run.os or (machine.os if machine else "")) == "Linux"


def _told(progress: Progress, reading: str, job: Callable[[], None]) -> None:
    progress(reading)
    job()


def _settle(read: _Read, what: str, future: Future[None]) -> None:
    """Wait for a reading; one that failed is unreadable, and what it had read so far does not count."""
    try:
        future.result()
    except (AzureUnavailable, PermissionMissing, NotFound) as error:
        read.unreadable[what] = Unreadable(what=str(error))


def _spelled(facts: Facts, id_: str) -> str:
    """The id in Azure's spelling where it is known."""
    machine = facts.machines.get(id_.removesuffix(run_commands_of("")))
    if machine and machine.id != id_:
        return run_commands_of(machine.arm_id)
    known = machine or facts.deployments.get(id_) or facts.saved_searches.get(id_)
    return known.arm_id if known else id_
