"""How a simulated estate is written down: machines and their heartbeats, deployments and their runs."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from model.documents import Document, Json
from model.states import FailureState
from simulator import templates
from simulator.fleet import Fleet
from simulator.templates import Schedule, Vm

SYSTEM_WORKERS: Final = 4000
"""Azure's limit of system hybrid workers in an account; machines beyond it get none."""
ALL_MACHINE_RUNS: Final = 500
"""Up to so many machines, the newest run of a deployment has a machine run for every machine it names."""
SHOWN_SUCCEEDED: Final = 50
"""In larger estates, how many succeeded machine runs of a deployment's newest run are there."""
IN_SCOPE: Final = 500
"""How many machines, at most, the saved search names besides those whose story needs it."""
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


class Rows:
    """Rows of a log table in time order, written when they are read: an estate keeps a few words for each."""

    def __init__(self, rows: Iterable[tuple[datetime, Callable[[], Document]]]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])

    def __iter__(self) -> Iterator[Document]:
        return (write() for _, write in self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(slots=True, kw_only=True)
class Part:
    """What a run says of one machine, where it is not a plain success with the machine's present identity."""

    status: str = "Succeeded"
    source_id: str = ""


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
        self.rows: dict[str, list[tuple[datetime, Callable[[], Document]]]] = {
            table: [] for table in ("Heartbeat", "Update", "UpdateSummary", "UpdateRunProgress", "Event", "Operation")
        }
        self.guests: dict[str, Document] = {}
        self.found: list[Json] = []
        self.not_found: list[Json] = []
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

    def guid(self, *parts: object) -> str:
        return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in (self.seed, *parts))))

    def name(self, role: str) -> str:
        self.names[role] = number = self.names.get(role, 0) + 1
        return f"{role}-{number:02}"

    def machine(
        self, role: str, system: str = "Windows", *, name: str = "", computer: str = "", group: str = "",
        source_id: str = "", swapped: bool = False, running: bool = True, has_group: bool = True,
    ) -> Vm:  # fmt: skip
        """A virtual machine with its system worker. It does not beat yet."""
        self.room -= 1
        name = name or self.name(role)
        subscription = self.homes[self.room * len(self.homes) // self.size]
        # Azure keeps the spelling a group was made with; ids are compared without regard to it.
        group = group or ("RG-Data" if role in {"sql", "db"} else f"rg-{role}")
        vm_id = self.guid("vm", group, name)
        vm = Vm(
            id=f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
            computer=computer or (f"{name}.fabrikam.com" if system == "Windows" else name),
            vm_id=vm_id,
            source_id=source_id or self.guid("agent", group, name),
            os=system,
            ip=f"20.50.{self.room // 250 % 250}.{self.room % 250 + 1}",
            vmuuid=str(uuid.UUID(bytes=uuid.UUID(vm_id).bytes_le)).upper() if swapped else vm_id,
            running=running,
        )
        self.documents.append(templates.virtual_machine(vm))
        if has_group and self.workers < SYSTEM_WORKERS:
            self.workers += 1
            self.joins(vm, f"{vm.computer}_{vm.source_id}", "System")
        if len(self.in_scope) < IN_SCOPE:
            self.in_scope[vm.vm_id] = None
        return vm

    def joins(self, vm: Vm, group: str, kind: str) -> None:
        """The machine is the one worker of a new group."""
        self.documents.append(templates.worker_group(self.account, group, kind))
        seen = self.now - (timedelta(minutes=20) if vm.running else 4 * DAY)
        self.documents.append(
            templates.worker(
                self.account, group, self.guid("worker", group), vm, registered=self.now - 90 * DAY, seen=seen
            )
        )

    def beats(
        self, vm: Vm, *, since: datetime, until: datetime | None = None, source_id: str = "", new_agent: bool = False
    ) -> None:
        """Heartbeats: the first, one a day, and the last (of the last minutes, unless it ended)."""
        last = until or self.now - timedelta(minutes=1 + self.rng.randrange(4))
        whens = [since + day * DAY for day in range((last - since) // DAY + 1)]
        for when in [*whens, last] if whens[-1] != last else whens:
            write = partial(
                templates.heartbeat, vm, source_id or vm.source_id, when, self.workspace_guid, new_agent=new_agent
            )
            self.rows["Heartbeat"].append((when, write))

    def lives(self, vm: Vm, *, days: int = 3) -> None:
        """An uneventful life: beats until now, and one update that it still needs."""
        self.beats(vm, since=self.now - days * DAY - timedelta(minutes=self.rng.randrange(600)))
        self.is_assessed(vm)

    def is_assessed(self, vm: Vm) -> None:
        minutes = self.rng.randrange(10, 55) if vm.os == "Linux" else self.rng.randrange(60, 600)
        when = self.now - timedelta(minutes=minutes)
        update = self.guid("update", vm.os)
        self.rows["Update"].append(
            (when, partial(templates.needed_update, vm, when, update, self.now - 20 * DAY)),
        )
        self.rows["UpdateSummary"].append((when, partial(templates.update_summary, vm, when)))

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
        system: str = "Windows", query_scopes: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """A deployment with its runs, oldest first; answers its lower-case id."""
        oldest = schedule.run(len(runs))
        created = min(oldest, self.now - 60 * DAY) - DAY
        modified = created
        if any(run.duration for run in runs):
            # It was edited before the first run that had the present window.
            modified = next(schedule.run(back) - HOUR for back, run in numbered(runs) if run.duration is None)
        document = templates.deployment(
            self.account, name, system, vms, schedule, created=created, modified=modified, query_scopes=query_scopes
        )
        self.documents.append(document)
        for back, run in numbered(runs):
            self.run(name, vms, schedule, run, back)
        return str(document["id"]).lower()

    def run_id(self, name: str, schedule: Schedule, back: int) -> str:
        return self.guid("run", name, schedule.run(back).isoformat())

    def run(self, name: str, vms: Sequence[Vm], schedule: Schedule, run: Run, back: int) -> None:
        # A one-time deployment ran at its only time, which the schedule still calls its next run.
        start = schedule.run(back)
        window = run.duration or schedule.duration
        run_id = self.run_id(name, schedule, back)
        exceeded = run.status == EXCEEDED
        system = vms[0].os
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
                )
            )  # fmt: skip

    def progress(
        self, vm: Vm, name: str, schedule: Schedule, back: int, *, kb: str, status: str, error: str = ""
    ) -> None:
        when = schedule.run(back) + schedule.duration
        write = partial(
            templates.update_progress, vm, when, self.run_id(name, schedule, back), name,
            update_id=self.guid("kb", kb), kb=kb, status=status, error=error,
        )  # fmt: skip
        self.rows["UpdateRunProgress"].append((when, write))

    def starts(self, vm: Vm, when: datetime) -> None:
        """The machine's System log says that it started: the workspace collects that log."""
        self.rows["Event"].append((when, partial(templates.start_event, vm, when)))

    def complains(
        self, vm: Vm, text: str, *, log: str = "Operations Manager", event: int = 4502, hours: int = 1
    ) -> None:
        """The machine's agent writes into its log, some hours ago: the workspace collects that log."""
        when = self.now - hours * HOUR
        self.rows["Event"].append((when, partial(templates.agent_event, vm, when, log, event, text)))

    def suffers(self, state: FailureState, target: str, then: str, why: str, machines: int = 1) -> None:
        self.injured += machines
        self.found.append({"state": state.value, "target": target, "then": then, "why": why})

    def is_spared(self, states: Iterable[FailureState], targets: Iterable[str], why: str) -> None:
        for target in targets:
            self.not_found.extend({"state": state.value, "target": target, "why": why} for state in states)

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
                "found": self.found,
                "notFound": self.not_found,
            },
        )

    def _surroundings(self) -> None:
        tenant = self.guid("tenant")
        for number, guid in enumerate(self.subscriptions):
            self.documents.append(templates.subscription(guid, f"fabrikam-{number}", tenant))
            for namespace in _NAMESPACES:
                state = self.registration[guid] if namespace == _NAMESPACES[0] else "Registered"
                self.documents.append(templates.provider(guid, namespace, state))
        self.documents += templates.automation_account(self.account, self.workspace)
        reset = (self.now + 10 * HOUR).replace(minute=0)
        self.documents += templates.log_workspace(
            self.workspace, self.workspace_guid, self.account, in_scope=sorted(self.in_scope), quota_reset=reset,
            etag="W/\"datetime'2026-02-01T00%3A00%3A00Z'\"",
        )  # fmt: skip


def numbered(runs: Sequence[Run]) -> list[tuple[int, Run]]:
    """Runs, oldest first, each with how many runs it lies back."""
    return [(len(runs) - place, run) for place, run in enumerate(runs)]
