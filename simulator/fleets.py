"""Simulated estates: any number of machines, reproducible from a seed, with injuries, decoys and the truth about both.

An estate is a collection of stories. Each story is one machine, set of machines, deployment or subscription that
suffers from a failure state, or only looks as if; it writes the documents and rows that Azure would have, and what a
sweep must say about it. Small estates tell every story once, as far as their machines reach; large ones tell each more
often, in proportion.
"""

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
from model.times import format_duration
from simulator import templates
from simulator.fleet import Fleet
from simulator.templates import Schedule, Vm

DEFAULT_NOW: Final = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
SYSTEM_WORKERS: Final = 4000
"""Azure's limit of system hybrid workers in an account; machines beyond it get none."""
ALL_MACHINE_RUNS: Final = 500
"""Up to so many machines, the newest run of a deployment has a machine run for every machine it names."""
SHOWN_SUCCEEDED: Final = 50
"""In larger estates, how many succeeded machine runs of a deployment's newest run are there."""
IN_SCOPE: Final = 500
"""How many machines, at most, the saved search names besides those whose story needs it."""

_NAMESPACE: Final = uuid.UUID("5b0a4c0e-5a55-5c0b-9d57-3f0f4d1d6a10")
_NAMESPACES: Final = (
    "Microsoft.Automation",
    "Microsoft.OperationalInsights",
    "Microsoft.OperationsManagement",
    "Microsoft.Insights",
    "Microsoft.Compute",
    "Microsoft.Maintenance",
)
_ROLES: Final = {"Windows": ("web", "sql", "app", "file", "erp"), "Linux": ("api", "db", "cache", "queue")}
_EXCEEDED: Final = "MaintenanceWindowExceeded"
_RP: Final = FailureState.AUTOMATION_RP_NOT_REGISTERED
_CLONE: Final = FailureState.CLONED_MACHINE
_WINDOW: Final = FailureState.MAINTENANCE_WINDOW_EXCEEDED
_ID: Final = FailureState.SOURCE_ID_CHANGED
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


def generate(machines: int, seed: int, *, now: datetime = DEFAULT_NOW, injured: float = 0.01) -> Fleet:
    """An estate of `machines` virtual machines; the same arguments give the same estate, byte for byte.

    `injured` is the share of machines that a failure state touches, and never less than one case of each kind; 0 is
    an estate with decoys only.
    """
    if machines < 1:
        raise ValueError(f"an estate has at least one machine, not {machines}")
    if not 0 <= injured <= 0.5:
        raise ValueError(f"the injured share is from 0 to 0.5, not {injured}")
    estate = _Estate(machines, seed, now)
    estate.tell(*(story for story in _STORIES if injured or not story.injury))
    while estate.injured < machines * injured and estate.room > machines // 2:
        estate.tell(*_MORE_INJURIES)
    for _ in range(machines // 1000):
        estate.tell(*(story for story in _STORIES if story.machines and not story.injury))
    return estate.fleet()


def sample() -> Fleet:
    """The estate of `make demo`: 24 machines, all four failure states with plans, a little advice, a few decoys."""
    estate = _Estate(24, 7, DEFAULT_NOW)
    estate.tell(
        *(
            _Story(machines, tell)
            for machines, tell in (
                (0, _Estate.unregistered_providers),
                (1, _Estate.source_id_changed),
                (3, _Estate.clones_with_a_user_worker),
                (1, _Estate.window_exceeded),
                (1, _Estate.window_at_its_maximum),
                (1, _Estate.reinstalled),
                (2, _Estate.same_name_twice),
                (1, _Estate.new_agent),
                (0, _Estate.one_time_long_past),
            )
        )
    )
    return estate.fleet()


class _Rows:
    """Rows of a log table in time order, written when they are read: an estate keeps a few words for each."""

    def __init__(self, rows: Iterable[tuple[datetime, Callable[[], Document]]]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])

    def __iter__(self) -> Iterator[Document]:
        return (write() for _, write in self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, slots=True)
class _Story:
    machines: int
    """How many machines of its own it needs, at least."""
    tell: Callable[[_Estate], None]
    injury: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """A machine that lost its identity; which runs it failed in is known once its deployments are."""

    vm: Vm
    was: str
    deployments: int = 1
    healed: bool = False


@dataclass(slots=True, kw_only=True)
class _Part:
    """What a run says of one machine, where it is not a plain success with the machine's present identity."""

    status: str = "Succeeded"
    source_id: str = ""


@dataclass(slots=True, kw_only=True)
class _Run:
    parts: Mapping[str, _Part] = field(default_factory=dict)
    """By machine id."""
    duration: timedelta | None = None
    """The window at that time, where it is not the present one."""

    @property
    def status(self) -> str:
        said = {part.status for part in self.parts.values()}
        if _EXCEEDED in said:
            return _EXCEEDED
        return "Failed" if said - {"Succeeded"} else "Succeeded"


class _Estate:
    """An estate while it is being written."""

    def __init__(self, machines: int, seed: int, now: datetime) -> None:
        self.size, self.seed, self.now = machines, seed, now.astimezone(UTC).replace(second=0, microsecond=0)
        self.room = machines
        """Machines not yet made."""
        self.injured = 0
        self.rng = random.Random(seed)  # noqa: S311 - a reproducible estate, not a secret
        self.documents: list[Document] = []
        self.rows: dict[str, list[tuple[datetime, Callable[[], Document]]]] = {
            table: [] for table in ("Heartbeat", "Update", "UpdateSummary", "UpdateRunProgress")
        }
        self.guests: dict[str, Document] = {}
        self.found: list[Json] = []
        self.not_found: list[Json] = []
        self.names: dict[str, int] = {}
        self.workers = 0
        self.ordinary: dict[str, list[Vm]] = {"Windows": [], "Linux": []}
        """Machines that the general deployments name."""
        self.changed: list[_Changed] = []
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
        self.base = self.ordinary_machine("Windows")

    # What every story is written with.

    def guid(self, *parts: object) -> str:
        return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in (self.seed, *parts))))

    def name(self, role: str) -> str:
        self.names[role] = number = self.names.get(role, 0) + 1
        return f"{role}-{number:02}"

    def tell(self, *stories: _Story) -> None:
        for story in stories:
            if story.machines <= self.room:
                story.tell(self)

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
        seen = self.now - (timedelta(minutes=20) if vm.running else 4 * _DAY)
        self.documents.append(
            templates.worker(
                self.account, group, self.guid("worker", group), vm, registered=self.now - 90 * _DAY, seen=seen
            )
        )

    def beats(
        self, vm: Vm, *, since: datetime, until: datetime | None = None, source_id: str = "", new_agent: bool = False
    ) -> None:
        """Heartbeats: the first, one a day, and the last (of the last minutes, unless it ended)."""
        last = until or self.now - timedelta(minutes=1 + self.rng.randrange(4))
        whens = [since + day * _DAY for day in range((last - since) // _DAY + 1)]
        for when in [*whens, last] if whens[-1] != last else whens:
            write = partial(
                templates.heartbeat, vm, source_id or vm.source_id, when, self.workspace_guid, new_agent=new_agent
            )
            self.rows["Heartbeat"].append((when, write))

    def lives(self, vm: Vm, *, days: int = 3) -> None:
        """An uneventful life: beats until now, and one update that it still needs."""
        self.beats(vm, since=self.now - days * _DAY - timedelta(minutes=self.rng.randrange(600)))
        self.is_assessed(vm)

    def is_assessed(self, vm: Vm) -> None:
        minutes = self.rng.randrange(10, 55) if vm.os == "Linux" else self.rng.randrange(60, 600)
        when = self.now - timedelta(minutes=minutes)
        update = self.guid("update", vm.os)
        self.rows["Update"].append(
            (when, partial(templates.needed_update, vm, when, update, self.now - 20 * _DAY)),
        )
        self.rows["UpdateSummary"].append((when, partial(templates.update_summary, vm, when)))

    def ordinary_machine(self, system: str) -> Vm:
        vm = self.machine(self.rng.choice(_ROLES[system]), system)
        self.lives(vm)
        self.ordinary[system].append(vm)
        return vm

    def later(self, every: str) -> datetime:
        """A next run on a coming day at a quiet hour, so that the newest run lies between one and six days back."""
        days = 1 if every == "Day" else self.rng.randrange(1, 6)
        when = (self.now + days * _DAY).replace(hour=self.rng.choice((20, 21, 22, 23)), minute=0)
        if every != "Month":
            return when
        newest = (self.now - days * _DAY).replace(hour=21, minute=0)
        newest = newest.replace(day=min(newest.day, 28))
        return Schedule(every="Month", next_run=newest, duration=_HOUR).run(-1)

    def deployment(
        self, name: str, vms: Sequence[Vm], schedule: Schedule, runs: Sequence[_Run] = (), *,
        system: str = "Windows", query_scopes: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """A deployment with its runs, oldest first; answers its lower-case id."""
        oldest = schedule.run(len(runs))
        created = min(oldest, self.now - 60 * _DAY) - _DAY
        modified = created
        if any(run.duration for run in runs):
            # It was edited before the first run that had the present window.
            modified = next(schedule.run(back) - _HOUR for back, run in _numbered(runs) if run.duration is None)
        document = templates.deployment(
            self.account, name, system, vms, schedule, created=created, modified=modified, query_scopes=query_scopes
        )
        self.documents.append(document)
        for back, run in _numbered(runs):
            self.run(name, vms, schedule, run, back)
        return str(document["id"]).lower()

    def run_id(self, name: str, schedule: Schedule, back: int) -> str:
        return self.guid("run", name, schedule.run(back).isoformat())

    def run(self, name: str, vms: Sequence[Vm], schedule: Schedule, run: _Run, back: int) -> None:
        # A one-time deployment ran at its only time, which the schedule still calls its next run.
        start = schedule.run(back)
        window = run.duration or schedule.duration
        run_id = self.run_id(name, schedule, back)
        exceeded = run.status == _EXCEEDED
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
            part = run.parts.get(vm.id) or _Part()
            if part.status == "Succeeded":
                if not shown:
                    continue
                shown -= 1
            end = start + (window if part.status == _EXCEEDED else window / 2)
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

    def suffers(self, state: FailureState, target: str, then: str, why: str, machines: int = 1) -> None:
        self.injured += machines
        self.found.append({"state": state.value, "target": target, "then": then, "why": why})

    def is_spared(self, states: Iterable[FailureState], targets: Iterable[str], why: str) -> None:
        self.not_found += [
            {"state": state.value, "target": target, "why": why} for target in targets for state in states
        ]

    # Injuries.

    def unregistered_providers(self) -> None:
        never, undone = self.subscriptions[-3:-1]
        self.registration |= {never: "NotRegistered", undone: "Unregistered"}
        self.deployment(
            "Dynamic-Tagged", [], Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR),
            query_scopes=[f"/subscriptions/{undone}"],
        )  # fmt: skip
        self.suffers(_RP, f"/subscriptions/{never}", "plan", "NotRegistered", 0)
        self.suffers(_RP, f"/subscriptions/{undone}", "plan", "Unregistered, and named by a dynamic query", 0)

    def source_id_changed(self) -> None:
        """In two deployments, so that both have to be edited."""
        self._changed(deployments=2)

    def source_id_changed_once(self) -> None:
        self._changed(deployments=1)

    def _changed(self, deployments: int) -> None:
        system = "Windows" if self.size < 100 or self.rng.random() < 0.7 else "Linux"
        vm = self.machine(self.rng.choice(_ROLES[system]), system)
        self.changed.append(_Changed(vm=vm, was=self.guid("old agent", vm.id), deployments=deployments))
        often = "" if deployments == 1 else ", in two deployments"
        why = f"the newest run failed to start with the identity that the machine had before{often}"
        self.suffers(_ID, vm.key, "plan", why)

    def source_id_changed_alone(self) -> None:
        vm = self.machine("fax")
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR)
        self._lost_identity(vm, schedule, f"Weekly-{vm.name}", [vm])
        why = "the deployment names no other machine: without it the target list would be empty"
        self.suffers(_ID, vm.key, "advice", why)

    def source_id_changed_too_late(self) -> None:
        vm = self.machine("pos")
        schedule = Schedule(every="Day", next_run=self.now + timedelta(minutes=10), duration=2 * _HOUR)
        self._lost_identity(vm, schedule, f"Morning-{vm.name}", [vm, self.base])
        self.suffers(_ID, vm.key, "advice", "the next run is ten minutes away")

    def _lost_identity(self, vm: Vm, schedule: Schedule, name: str, vms: Sequence[Vm]) -> None:
        """A new identity since between the last run but one and the last."""
        was = self.guid("old agent", vm.id)
        self.changes_identity(vm, was, schedule.run(1) - 7 * _HOUR)
        before = _Run(parts={vm.id: _Part(source_id=was)})
        failed = _Run(parts={vm.id: _Part(status="FailedToStart", source_id=was)})
        self.deployment(name, vms, schedule, [before, before, failed])

    def changes_identity(self, vm: Vm, was: str, when: datetime) -> None:
        self.beats(vm, since=when - 5 * _DAY, until=when - timedelta(minutes=10), source_id=was)
        self.beats(vm, since=when + timedelta(minutes=20))
        self.is_assessed(vm)

    def clones(self) -> None:
        self._clones(self.rng.randint(2, min(4, max(2, self.room // 10))))

    def clones_with_a_user_worker(self) -> None:
        self._clones(2 if self.room < 15 else 3, user_worker=True)

    def _clones(self, count: int, *, user_worker: bool = False) -> None:
        role = f"farm{chr(ord('a') + self.names.get('farm', 0) % 26)}"
        self.names["farm"] = self.names.get("farm", 0) + 1
        first = self.machine(role, group="rg-farm")
        others = [
            self.machine(role, group="rg-farm", source_id=first.source_id, has_group=False) for _ in range(count - 1)
        ]
        # The last was made out of the others' image before anyone put it into the scope.
        if not user_worker:
            self.in_scope.pop(others[-1].vm_id, None)
        self.in_scope |= {first.vm_id: None}
        for vm in (first, *others):
            self.lives(vm, days=2)
            why, then = f"one SourceComputerId, {count} machines", "plan"
            if user_worker and vm is others[-1]:
                why, then = "the registry key also holds a user hybrid worker's registration", "advice"
                group = self.name("Batch-Workers")
                self.joins(vm, group, "User")
            self.suffers(_CLONE, vm.key, then, why)

    def window_exceeded(self) -> None:
        count = 1 if self.size < 1000 else self.rng.randint(2, 12)
        self._exceeded("backup", count, self.rng.choice((90, 120, 120, 180)), "plan", "every run exceeded its window")

    def window_at_its_maximum(self) -> None:
        self._exceeded("erp", 1, 360, "advice", "already at the maximum of six hours")

    def window_before_another(self) -> None:
        why = "a longer window would reach into the next run of another deployment of the same machine"
        vm, schedule = self._exceeded("build", 1, 120, "advice", why)
        after = Schedule(every="Week", next_run=schedule.next_run + 2.5 * _HOUR, duration=3 * _HOUR)
        self.deployment(f"After-{vm.name}", [vm], after, [_Run(), _Run(), _Run()])

    def _exceeded(self, role: str, count: int, minutes: int, then: str, why: str) -> tuple[Vm, Schedule]:
        vms = [self.machine(role) for _ in range(count)]
        window = timedelta(minutes=minutes)
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=window)
        name = f"Weekly-{vms[0].name}"
        for vm in vms:
            self.lives(vm)
            self.guests[vm.key] = {"neededWindow": format_duration(window + timedelta(minutes=30))}
            self.progress(vm, name, schedule, 1, kb="5034439", status=_EXCEEDED)
        run = _Run(parts={vm.id: _Part(status=_EXCEEDED) for vm in vms})
        target = self.deployment(name, vms, schedule, [_Run(), run, run])
        self.suffers(_WINDOW, target, then, why, count)
        return vms[0], schedule

    # Decoys.

    def registering_provider(self) -> None:
        coming = self.subscriptions[-1]
        self.registration[coming] = "Registering"
        self.is_spared([_RP], [f"/subscriptions/{coming}"], "Registering is on its way")

    def reinstalled(self) -> None:
        vm = self.machine("app")
        when = self.now - self.rng.randint(16, 20) * _DAY
        self.changes_identity(vm, self.guid("old agent", vm.id), when)
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR)
        self.deployment(f"Weekly-{vm.name}", [vm], schedule, [_Run(), _Run()])
        self.is_spared([_ID], [vm.key], "the identity changed long ago and the deployment runs with the current one")

    def same_name_twice(self) -> None:
        name = self.name("print")
        twins = [self.machine("print", name=name, computer=name, group=group) for group in ("rg-blue", "rg-green")]
        for vm in twins:
            self.lives(vm)
            self.ordinary["Windows"].append(vm)
        self.is_spared(
            [_ID, _CLONE], [vm.key for vm in twins], "one computer name, but two machines and two identities"
        )

    def new_agent(self) -> None:
        vm = self.machine("web")
        self.lives(vm)
        other = self.guid("new agent", vm.id)
        self.beats(vm, since=self.now - 3 * _DAY, source_id=other, new_agent=True)
        self.ordinary["Windows"].append(vm)
        self.is_spared([_ID, _CLONE], [vm.key], "the second identity belongs to the Azure Monitor Agent")

    def swapped_byte_order(self) -> None:
        vm = self.machine("db", "Linux", swapped=True)
        self.lives(vm)
        self.ordinary["Linux"].append(vm)
        self.is_spared([_ID, _CLONE], [vm.key], "the heartbeat has the VM's id in the other byte order")

    def moved(self) -> None:
        vm = self.machine("crm")
        there = _in_group(vm, "rg-legacy", vm.name)
        hours_ago = self.now - self.rng.randint(3, 9) * _HOUR
        self.beats(there, since=self.now - 3 * _DAY, until=hours_ago)
        self.beats(vm, since=hours_ago + timedelta(minutes=5))
        self.is_assessed(vm)
        self.is_spared([_ID, _CLONE], [vm.key, there.key], "one machine that was moved: the same vmId under both ids")

    def restored_from_backup(self) -> None:
        vm = self.machine("doc")
        gone = _in_group(vm, "rg-doc", f"{vm.name}-old", self.guid("gone", vm.id))
        self.beats(gone, since=self.now - 9 * _DAY, until=self.now - 4 * _DAY)
        self.beats(vm, since=self.now - 3 * _DAY)
        self.is_assessed(vm)
        why = "restored with the identity of a machine that has been gone for days"
        self.is_spared([_ID, _CLONE], [vm.key, gone.key], why)

    def stopped(self) -> None:
        vm = self.machine("test", running=False)
        next_run = (self.now + 3 * _DAY).replace(hour=21, minute=0)
        schedule = Schedule(every="Week", next_run=next_run, duration=2 * _HOUR)
        self.beats(vm, since=schedule.run(1) - 4 * _DAY, until=schedule.run(1) - 9 * _HOUR)
        failed = _Run(parts={vm.id: _Part(status="FailedToStart")})
        self.deployment(f"Weekly-{vm.name}", [vm, self.base], schedule, [_Run(), _Run(), failed])
        self.is_spared([_ID], [vm.key], "the machine was stopped; its identity is what it was")

    def healed(self) -> None:
        vm = self.machine("mail")
        was = self.guid("old agent", vm.id)
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR)
        self.changes_identity(vm, was, schedule.run(2) - 7 * _HOUR)
        runs = [
            _Run(parts={vm.id: _Part(source_id=was)}),
            _Run(parts={vm.id: _Part(status="FailedToStart", source_id=was)}),
            _Run(),
        ]
        self.deployment(f"Weekly-{vm.name}", [vm, self.base], schedule, runs)
        self.is_spared([_ID], [vm.key], "a later run of the same deployment succeeded with the new identity")

    def one_time_long_past(self) -> None:
        start = (self.now - 25 * _DAY).replace(hour=22, minute=0)
        self._borrowed("OneTime", Schedule(every="OneTime", next_run=start, duration=2 * _HOUR), [_EXCEEDED],
                       "a one-time deployment that is over: nothing to widen")  # fmt: skip

    def exceeded_with_a_download_failure(self) -> None:
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR)
        name = self._borrowed("Monthly-Rollup", schedule, ["", "", _EXCEEDED], "the same run failed to download")
        self.progress(self.base, name, schedule, 1, kb="5034768", status="InstallFailed", error="0x80244019")
        self.progress(self.base, name, schedule, 1, kb="5034439", status=_EXCEEDED)

    def disabled(self) -> None:
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR, enabled=False)
        self._borrowed("Disabled", schedule, [_EXCEEDED, _EXCEEDED], "disabled")

    def widened_since(self) -> None:
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=3 * _HOUR)
        self._borrowed("Widened", schedule, [_EXCEEDED, _EXCEEDED, ""], "widened since, and the newest run succeeded",
                       before=2 * _HOUR)  # fmt: skip

    def _borrowed(
        self, name: str, schedule: Schedule, statuses: Sequence[str], why: str, *, before: timedelta | None = None
    ) -> str:
        """A deployment that names the first ordinary machine only; answers its name."""
        name = self.name(name)
        runs = [
            _Run(
                parts={self.base.id: _Part(status=status)} if status else {},
                duration=before if status else None,
            )
            for status in statuses
        ]
        target = self.deployment(name, [self.base], schedule, runs)
        self.is_spared([_WINDOW], [target], why)
        return name

    # The rest.

    def fleet(self) -> Fleet:
        """Fill up with ordinary machines, deploy updates to all that no story keeps apart, and close the book."""
        while self.room:
            self.ordinary_machine("Linux" if self.room % 10 < 3 else "Windows")
        for system, vms in self.ordinary.items():
            if vms:
                self._general_deployments(system, vms)
        self._surroundings()
        return Fleet(
            now=self.now,
            subscriptions=tuple(self.subscriptions),
            account=self.account,
            workspace=self.workspace,
            documents=self.documents,
            logs={table: _Rows(rows) for table, rows in self.rows.items() if rows},
            guests=self.guests,
            truth={
                "states": [state.value for state in (_RP, _CLONE, _WINDOW, _ID)],
                "found": self.found,
                "notFound": self.not_found,
            },
        )

    def _general_deployments(self, system: str, vms: list[Vm]) -> None:
        """Weekly ones for everybody, each with its share of the machines that lost their identity."""
        changed = [each for each in self.changed if each.vm.os == system]
        size = 4 if self.size < 100 else 40 if self.size < 1000 else self.rng.randint(150, 300)
        shares = [vms[start : start + size] for start in range(0, len(vms), size)]
        weekly = [Schedule(every="Week", next_run=self.later("Week"), duration=2 * _HOUR) for _ in shares]
        monthly = Schedule(every="Month", next_run=self.later("Month"), duration=3 * _HOUR)
        twice = [each for each in changed if each.deployments == 2]
        for number, each in enumerate(changed):
            first = weekly[number % len(shares)].run(1)
            newest = min(first, monthly.run(1)) if each in twice else first
            self.changes_identity(each.vm, each.was, newest - self.rng.randint(6, 40) * _HOUR)
        for number, (share, schedule) in enumerate(zip(shares, weekly, strict=True)):
            lost = changed[number :: len(shares)]
            name = f"Weekly-{system}-{number + 1:02}"
            self._with_lost(name, [*share, *(each.vm for each in lost)], lost, schedule, system)
        if twice:
            # Half of those that it names are well, so that taking one out never empties the list.
            members = [*vms[: len(twice)], *(each.vm for each in twice)]
            self._with_lost(f"Monthly-{system}", members, twice, monthly, system)

    def _with_lost(
        self, name: str, vms: Sequence[Vm], lost: Sequence[_Changed], schedule: Schedule, system: str
    ) -> None:
        before = _Run(parts={each.vm.id: _Part(source_id=each.was) for each in lost})
        newest = _Run(parts={each.vm.id: _Part(status="FailedToStart", source_id=each.was) for each in lost})
        self.deployment(name, vms, schedule, [before, before, newest], system=system)

    def _surroundings(self) -> None:
        tenant = self.guid("tenant")
        for number, guid in enumerate(self.subscriptions):
            self.documents.append(templates.subscription(guid, f"fabrikam-{number}", tenant))
            for namespace in _NAMESPACES:
                state = self.registration[guid] if namespace == _NAMESPACES[0] else "Registered"
                self.documents.append(templates.provider(guid, namespace, state))
        self.documents += templates.automation_account(self.account, self.workspace)
        reset = (self.now + 10 * _HOUR).replace(minute=0)
        self.documents += templates.log_workspace(
            self.workspace, self.workspace_guid, self.account, in_scope=sorted(self.in_scope), quota_reset=reset,
            etag="W/\"datetime'2026-02-01T00%3A00%3A00Z'\"",
        )  # fmt: skip


def _numbered(runs: Sequence[_Run]) -> list[tuple[int, _Run]]:
    """Runs, oldest first, each with how many runs it lies back."""
    return [(len(runs) - place, run) for place, run in enumerate(runs)]


def _in_group(vm: Vm, group: str, name: str, vm_id: str = "") -> Vm:
    """The same agent under another resource id; another machine where it has another `vm_id`."""
    subscription = vm.id.split("/", 3)[2]
    return Vm(
        id=f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
        computer=vm.computer,
        vm_id=vm_id or vm.vm_id,
        source_id=vm.source_id,
        os=vm.os,
        ip=vm.ip,
        vmuuid=vm_id or vm.vm_id,
    )


_STORIES: Final = (
    # One injury of each state first, then the decoys, then the injuries that end in advice: a tiny estate has what
    # matters most. Twenty machines hold them all.
    _Story(0, _Estate.unregistered_providers, injury=True),
    _Story(1, _Estate.source_id_changed, injury=True),
    _Story(1, _Estate.window_exceeded, injury=True),
    _Story(2, _Estate.clones, injury=True),
    _Story(0, _Estate.registering_provider),
    _Story(0, _Estate.one_time_long_past),
    _Story(0, _Estate.exceeded_with_a_download_failure),
    _Story(0, _Estate.disabled),
    _Story(0, _Estate.widened_since),
    _Story(1, _Estate.reinstalled),
    _Story(2, _Estate.same_name_twice),
    _Story(1, _Estate.new_agent),
    _Story(1, _Estate.swapped_byte_order),
    _Story(1, _Estate.moved),
    _Story(1, _Estate.restored_from_backup),
    _Story(1, _Estate.stopped),
    _Story(1, _Estate.healed),
    _Story(1, _Estate.source_id_changed_alone, injury=True),
    _Story(1, _Estate.source_id_changed_too_late, injury=True),
    _Story(2, _Estate.clones_with_a_user_worker, injury=True),
    _Story(1, _Estate.window_at_its_maximum, injury=True),
    _Story(1, _Estate.window_before_another, injury=True),
    _Story(1, _Estate.source_id_changed_once, injury=True),
)

_MORE_INJURIES: Final = (
    _Story(1, _Estate.source_id_changed_once, injury=True),
    _Story(1, _Estate.source_id_changed_once, injury=True),
    _Story(4, _Estate.clones, injury=True),
    _Story(1, _Estate.source_id_changed, injury=True),
    _Story(1, _Estate.source_id_changed_once, injury=True),
    _Story(12, _Estate.window_exceeded, injury=True),
    _Story(4, _Estate.clones, injury=True),
    _Story(1, _Estate.source_id_changed_alone, injury=True),
    _Story(3, _Estate.clones_with_a_user_worker, injury=True),
    _Story(1, _Estate.window_before_another, injury=True),
)
