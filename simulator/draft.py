"""How a simulated estate is written down: machines and their heartbeats, deployments and their runs."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from model.documents import Document
from model.states import FailureState
from simulator import rows, templates
from simulator.fleet import Fleet
from simulator.rows import Offer
from simulator.templates import Condition, Options, Schedule, Vm

SYSTEM_WORKERS: Final = 4000
"""Azure's limit of system hybrid workers in an account; machines beyond it get none."""
ALL_MACHINE_RUNS: Final = 500
"""Up to so many machines, the newest run of a deployment has a machine run for every machine it names."""
SHOWN_SUCCEEDED: Final = 50
"""In larger estates, how many succeeded machine runs of a deployment's newest run are there."""
IN_SCOPE: Final = 500
"""How many machines, at most, the saved search names besides those whose story needs it."""
LOGS: Final = ("Heartbeat", "Update", "UpdateSummary", "UpdateRunProgress", "Event")
"""Tables that agents fill."""
EXCEEDED: Final = "MaintenanceWindowExceeded"
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)

_NAMESPACE: Final = uuid.UUID("5b0a4c0e-5a55-5c0b-9d57-3f0f4d1d6a10")
_NAMESPACES: Final = (
    "Microsoft.Automation",
    "Microsoft.OperationalInsights",
    "Microsoft.OperationsManagement",
    "Microsoft.Insights",
    "Microsoft.Compute",
    "Microsoft.Maintenance",
)


type Written = tuple[datetime, Callable[[datetime], Document]]
"""A row that is not written yet: its time, and how it reads at that time."""


class Rows:
    """Rows of a log table in time order, written when they are read: an estate keeps a few words for each."""

    def __init__(self, rows: Iterable[Written]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])

    def __iter__(self) -> Iterator[Document]:
        return (write(when) for when, write in self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(slots=True, kw_only=True)
class Part:
    """What a run says of one machine, where it is not a plain success with the machine's present identity."""

    status: str = "Succeeded"
    source_id: str = ""
    error: str = ""
    """What the machine run says, where it is not the usual."""
    output: str | None = None
    """What its job wrote; None where nobody kept the job."""


@dataclass(slots=True, kw_only=True)
class Run:
    parts: Mapping[str, Part] = field(default_factory=dict)
    """By machine id."""
    duration: timedelta | None = None
    """The window at that time, where it is not the present one."""

    @property
    def status(self) -> str:
        said = {part.status for part in self.parts.values()}
        if EXCEEDED in said:
            return EXCEEDED
        return "Failed" if said - {"Succeeded"} else "Succeeded"


class Draft:
    """An estate while it is being written: machines, lives, deployments and their runs, and what is true of them."""

    def __init__(self, machines: int, seed: int, now: datetime) -> None:
        self.size, self.seed, self.now = machines, seed, now.astimezone(UTC).replace(second=0, microsecond=0)
        self.room = machines
        """Machines not yet made."""
        self.injured = 0
        self.rng = random.Random(seed)  # noqa: S311 - a reproducible estate, not a secret
        self.documents: list[Document] = []
        self.rows: dict[str, list[Written]] = {table: [] for table in (*LOGS, "Operation")}
        self.guests: dict[str, Document] = {}
        self.found: list[Document] = []
        self.not_found: list[Document] = []
        self.explained: list[Document] = []
        """What is true of machines, and not to be found as long as something else is wrong."""
        self.names: dict[str, int] = {}
        self.workers = 0
        self.in_scope: dict[str, None] = {}
        # A subscription holds some 2,500 machines; the three after them are for the stories of providers.
        healthy = 1 + machines // 2500
        self.subscriptions = [self.guid("subscription", number) for number in range(healthy + 3)]
        self.homes = self.subscriptions[:healthy]
        self.registration = dict.fromkeys(self.subscriptions, "Registered")
        home = f"/subscriptions/{self.homes[0]}/resourceGroups"
        self.account = f"{home}/rg-automation/providers/Microsoft.Automation/automationAccounts/aa-fabrikam"
        self.workspace = f"{home}/rg-monitor/providers/Microsoft.OperationalInsights/workspaces/law-fabrikam"
        self.workspace_guid = self.guid("workspace")
        self.condition = Condition()
        self.swaps = False
        """True where a quarter of the Linux machines tell their VM's id in the other byte order."""

    def guid(self, *parts: object) -> str:
        return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in (self.seed, *parts))))

    def name(self, role: str) -> str:
        self.names[role] = number = self.names.get(role, 0) + 1
        return f"{role}-{number:02}"

    def machine(
        self, role: str, system: str = "Windows", *, name: str = "", computer: str = "", group: str = "",
        source_id: str = "", swapped: bool = False, running: bool = True, has_group: bool = True,
        in_scope: bool = True, exists: bool = True, os_name: str = "", tags: Mapping[str, str] | None = None,
        started: datetime | None = None, worker_seen: datetime | None = None,
    ) -> Vm:  # fmt: skip
        """A virtual machine with its system worker. It does not beat yet.

        One that does not exist any more has no document and no worker; logs and deployments may know it still.
        """
        self.room -= exists
        name = name or self.name(role)
        subscription = self.homes[self.room * len(self.homes) // self.size]
        # Azure keeps the spelling a group was made with; ids are compared without regard to it.
        group = group or ("RG-Data" if role in {"sql", "db"} else f"rg-{role}")
        vm_id = self.guid("vm", group, name)
        # Some distributions of Linux tell their VM's id in the other byte order.
        swapped = swapped or (system == "Linux" and self.swaps and vm_id[-1] in "048c")
        vm = Vm(
            id=f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
            computer=computer or (f"{name}.fabrikam.com" if system == "Windows" else name),
            vm_id=vm_id,
            source_id=source_id or self.guid("agent", group, name),
            os=system,
            ip=f"20.50.{self.room // 250 % 250}.{self.room % 250 + 1}",
            vmuuid=str(uuid.UUID(bytes=uuid.UUID(vm_id).bytes_le)).upper() if swapped else vm_id,
            running=running,
            os_name=os_name,
            tags=tags or {},
            started=started,
        )
        if not exists:
            return vm
        self.documents.append(templates.virtual_machine(vm))
        if has_group and self.workers < SYSTEM_WORKERS:
            self.workers += 1
            self.joins(vm, f"{vm.computer}_{vm.source_id}", "System", worker_seen)
        if in_scope and len(self.in_scope) < IN_SCOPE:
            self.in_scope[vm.vm_id] = None
        return vm

    def arc_machine(self, role: str, *, connected: bool = True, in_scope: bool = True) -> Vm:
        """A machine outside Azure; it does not count among the estate's virtual machines, and does not beat yet."""
        name = self.name(role)
        vm_id = self.guid("arc", name)
        vm = Vm(
            id=f"/subscriptions/{self.homes[0]}/resourceGroups/rg-arc/providers/Microsoft.HybridCompute/machines/{name}",
            computer=f"{name}.fabrikam.com",
            vm_id=vm_id,
            source_id=self.guid("agent", "arc", name),
            os="Windows",
            ip=f"52.1.1.{len(self.names)}",
            vmuuid=vm_id,
        )
        self.documents.append(templates.arc_machine(vm, connected=connected, changed=self.now - 9 * HOUR))
        self.workers += 1
        self.joins(vm, f"{vm.computer}_{vm.source_id}", "System")
        if in_scope:
            self.in_scope[vm.vm_id] = None
        return vm

    def joins(self, vm: Vm, group: str, kind: str, seen: datetime | None = None) -> None:
        """The machine is the one worker of a new group; it was `seen` a moment ago where nothing else is said."""
        self.documents.append(templates.worker_group(self.account, group, kind))
        seen = seen or self.now - (timedelta(minutes=20) if vm.running else 4 * DAY)
        self.documents.append(
            templates.worker(
                self.account, group, self.guid("worker", group), vm, registered=self.now - 90 * DAY, seen=seen
            )
        )

    def beats(
        self, vm: Vm, *, since: datetime, until: datetime | None = None, source_id: str = "", new_agent: bool = False,
        solutions: str = rows.WITH_UPDATES,
    ) -> None:  # fmt: skip
        """Heartbeats: the first, one a day, and the last (of the last minutes, unless it ended)."""
        last = until or self.now - timedelta(minutes=1 + self.rng.randrange(4))
        whens = [since + day * DAY for day in range((last - since) // DAY + 1)]
        for when in [*whens, last] if whens[-1] != last else whens:
            write = partial(
                rows.heartbeat, vm, source_id or vm.source_id, workspace_guid=self.workspace_guid,
                new_agent=new_agent, solutions=solutions,
            )  # fmt: skip
            self.rows["Heartbeat"].append((when, write))

    def lives(self, vm: Vm, *, days: int = 3) -> None:
        """An uneventful life: beats until now, and one update that it still needs."""
        self.beats(vm, since=self.now - days * DAY - timedelta(minutes=self.rng.randrange(600)))
        self.is_assessed(vm)

    def is_assessed(
        self, vm: Vm, *, when: datetime | None = None, setting: str = rows.NOTIFY, server: str = "",
        offers: Sequence[Offer] | None = None,
    ) -> datetime:  # fmt: skip
        """A scan within the last hours, and what came of it; answers when it was."""
        minutes = self.rng.randrange(10, 55) if vm.os == "Linux" else self.rng.randrange(60, 600)
        when = when or self.now - timedelta(minutes=minutes)
        for offer in (self.usual_offer(vm),) if offers is None else offers:
            self.rows["Update"].append((when, partial(rows.update, vm, offer=offer)))
        self.rows["UpdateSummary"].append((when, partial(rows.update_summary, vm, setting=setting, server=server)))
        return when

    def usual_offer(self, vm: Vm) -> Offer:
        """The one update that a machine needs that is well."""
        windows = vm.os == "Windows"
        return Offer(
            id=self.guid("update", vm.os),
            title="2026-02 Cumulative Update for Windows Server 2019" if windows else "openssl",
            kb="5034768" if windows else "",
            product="Windows Server 2019" if windows else "openssl",
            published=self.now - 20 * DAY,
        )

    def changes_identity(self, vm: Vm, was: str, when: datetime) -> None:
        self.beats(vm, since=when - 5 * DAY, until=when - timedelta(minutes=10), source_id=was)
        self.beats(vm, since=when + timedelta(minutes=20))
        self.is_assessed(vm)

    def later(self, every: str) -> datetime:
        """A next run on a coming day at a quiet hour, so that the newest run lies between one and six days back."""
        days = 1 if every == "Day" else self.rng.randrange(1, 6)
        when = (self.now + days * DAY).replace(hour=self.rng.choice((20, 21, 22, 23)), minute=0)
        if every != "Month":
            return when
        newest = (self.now - days * DAY).replace(hour=21, minute=0)
        newest = newest.replace(day=min(newest.day, 28))
        return Schedule(every="Month", next_run=newest, duration=HOUR).run(-1)

    def deployment(
        self, name: str, vms: Sequence[Vm], schedule: Schedule, runs: Sequence[Run] = (), *,
        system: str = "Windows", query_scopes: Sequence[str] = (), options: Options | None = None,
        called: Sequence[Vm] = (),
    ) -> str:  # fmt: skip
        """A deployment with its runs, oldest first; answers its lower-case id.

        `called` are machines of its runs that it does not name: its queries selected them.
        """
        oldest = schedule.run(len(runs))
        created = min(oldest, self.now - 60 * DAY) - DAY
        modified = created
        if any(run.duration for run in runs):
            # It was edited before the first run that had the present window.
            modified = next(schedule.run(back) - HOUR for back, run in numbered(runs) if run.duration is None)
        document = templates.deployment(
            self.account, name, system, vms, schedule, created=created, modified=modified, query_scopes=query_scopes,
            options=options,
        )  # fmt: skip
        self.documents.append(document)
        for back, run in numbered(runs):
            self.run(name, [*vms, *called], schedule, run, back)
        return str(document["id"]).lower()

    def run_id(self, name: str, schedule: Schedule, back: int) -> str:
        return self.guid("run", name, schedule.run(back).isoformat())

    def run(self, name: str, vms: Sequence[Vm], schedule: Schedule, run: Run, back: int) -> None:
        # A one-time deployment ran at its only time, which the schedule still calls its next run.
        start = schedule.run(back)
        window = run.duration or schedule.duration
        run_id = self.run_id(name, schedule, back)
        exceeded = run.status == EXCEEDED
        system = vms[0].os if vms else "Windows"
        self.documents.append(
            templates.update_run(
                self.account, run_id, name, system,
                status=run.status, start=start, end=start + (window if exceeded else window * 3 / 4), duration=window,
                machines=len(vms), failed=sum(part.status != "Succeeded" for part in run.parts.values()),
            )
        )  # fmt: skip
        shown = (len(vms) if self.size <= ALL_MACHINE_RUNS else SHOWN_SUCCEEDED) if back <= 1 else 0
        for vm in vms:
            part = run.parts.get(vm.id) or Part()
            if part.status == "Succeeded":
                if not shown:
                    continue
                shown -= 1
            end = start + (window if part.status == EXCEEDED else window / 2)
            self.documents.append(
                templates.machine_run(
                    self.account, self.guid("machine run", run_id, vm.id), run_id, name, vm,
                    job_id=self.guid("job", run_id, vm.id), status=part.status,
                    source_id=part.source_id or vm.source_id, start=start, end=end, duration=window,
                    error=part.error,
                )
            )  # fmt: skip
            if part.output is not None:
                self.job(self.guid("job", run_id, vm.id), start, end, status="Failed", output=part.output)

    def job(self, job_id: str, start: datetime, end: datetime, *, status: str = "Completed", output: str = "") -> None:
        """A job of the account that did, or does, a machine's part in a run."""
        runbook = "Patch-MicrosoftOMSComputer"
        self.documents.append(
            templates.job(self.account, job_id, runbook, status=status, start=start, end=end, output=output)
        )

    def remembers(self, vm: Vm, when: datetime, kind: str = "Update", **before: str) -> None:
        """Resource Graph remembers that the VM was created, or what its tags were before somebody changed them."""
        change = self.guid("change", vm.id, when.isoformat())
        self.documents.append(templates.change(vm, change, when, kind, {f"tags.{k}": v for k, v in before.items()}))

    def progress(
        self, vm: Vm, name: str, schedule: Schedule, back: int, *, kb: str = "", status: str, error: str = "",
        update_id: str = "", product: str = "", early: bool = False,
    ) -> None:  # fmt: skip
        """What a run says of one update of a machine, when its window ends; half-way where it is said `early`."""
        when = schedule.run(back) + schedule.duration / (2 if early else 1)
        write = partial(
            rows.update_progress, vm, run_id=self.run_id(name, schedule, back), name=name,
            update_id=update_id or self.guid("kb", kb or product), kb=kb, status=status, error=error, product=product,
        )  # fmt: skip
        self.rows["UpdateRunProgress"].append((when, write))

    def starts(self, vm: Vm, when: datetime) -> None:
        """The machine's System log says that it started: the workspace collects that log."""
        self.logs(vm, when, 6005, "EventLog", "The Event log service was started.")

    def logs(self, vm: Vm, when: datetime, event: int, source: str, text: str) -> None:
        """An entry of the machine's System log."""
        self.rows["Event"].append((when, partial(rows.system_event, vm, event=event, source=source, text=text)))

    def complains(
        self, vm: Vm, text: str, *, log: str = "Operations Manager", event: int = 4502, hours: int = 1
    ) -> None:
        """The machine's agent writes into its log, some hours ago: the workspace collects that log."""
        when = self.now - hours * HOUR
        self.rows["Event"].append((when, partial(rows.agent_event, vm, log=log, event=event, text=text)))

    def reports(
        self, when: datetime, detail: str, *, computer: str = "", status: str = "Succeeded",
        category: str = rows.COLLECTION,
    ) -> None:  # fmt: skip
        """The workspace writes about itself."""
        write = partial(rows.operation, computer, detail=detail, status=status, category=category)
        self.rows["Operation"].append((when, write))

    def suffers(
        self, state: FailureState, target: str, then: str, why: str, machines: int = 1, *, inside: bool = False
    ) -> None:
        """What is true of a target, and whether a plan or advice should come of it.

        `inside` is what nothing but a look inside the machine tells; without one it is unknown.
        """
        self.injured += machines
        told: Document = {"state": state.value, "target": target, "then": then, "why": why}
        self.found.append(told | {"inside": True} if inside else told)

    def is_spared(self, states: Iterable[FailureState], targets: Iterable[str], why: str) -> None:
        for target in targets:
            self.not_found.extend({"state": state.value, "target": target, "why": why} for state in states)

    def stops(self, when: datetime, tables: Iterable[str] = LOGS) -> None:
        """Nothing comes into these tables since then: what would have come later came as long before the end."""
        for table in tables:
            self.rows[table] = [
                (min(at, when - (self.now - at)) if at > when else at, write) for at, write in self.rows[table]
            ]

    def loses_the_solution(self, when: datetime) -> None:
        """No agent has the solution since then, and nothing is assessed."""
        self.stops(when, ("Update", "UpdateSummary"))
        self.rows["Heartbeat"] = [
            (at, partial(rows.without_updates, write) if at > when else write) for at, write in self.rows["Heartbeat"]
        ]

    def explains(self, cause: FailureState, states: Iterable[FailureState], why: str) -> None:
        """What machines suffer of these states cannot be told as long as the cause lasts."""
        hidden = {state.value for state in states}
        self.explained += [{**each, "by": cause.value, "why": why} for each in self.found if each["state"] in hidden]
        self.found = [each for each in self.found if each["state"] not in hidden]

    def finished(self, states: Iterable[FailureState]) -> Fleet:
        """The estate with what surrounds its machines; `states` are those of which the truth is complete."""
        self._surroundings()
        return Fleet(
            now=self.now,
            subscriptions=tuple(self.subscriptions),
            account=self.account,
            workspace=self.workspace,
            documents=self.documents,
            logs={table: Rows(rows) for table, rows in self.rows.items() if rows},
            guests=self.guests,
            truth={
                "states": [state.value for state in states],
                "found": [*self.found],
                "notFound": [*self.not_found],
                "explained": [*self.explained],
            },
        )

    def _surroundings(self) -> None:
        tenant = self.guid("tenant")
        for number, guid in enumerate(self.subscriptions):
            self.documents.append(templates.subscription(guid, f"fabrikam-{number}", tenant))
            for namespace in _NAMESPACES:
                state = self.registration[guid] if namespace == _NAMESPACES[0] else "Registered"
                self.documents.append(templates.provider(guid, namespace, state))
        self.documents += templates.automation_account(self.account, self.workspace, self.condition)
        reset = (self.now + 10 * HOUR).replace(minute=0)
        self.documents += templates.log_workspace(
            self.workspace, self.workspace_guid, self.account, in_scope=sorted(self.in_scope), quota_reset=reset,
            condition=self.condition, etag="W/\"datetime'2026-02-01T00%3A00%3A00Z'\"",
        )  # fmt: skip


def numbered(runs: Sequence[Run]) -> list[tuple[int, Run]]:
    """Runs, oldest first, each with how many runs it lies back."""
    return [(len(runs) - place, run) for place, run in enumerate(runs)]
