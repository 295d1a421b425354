"""What simulated estates suffer from, and what only looks as if.

Each story is one machine, set of machines, deployment or subscription. It writes the documents and rows that Azure
would have, and what a sweep must say about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from model.states import FailureState
from model.times import format_duration
from simulator import templates
from simulator.draft import DAY, EXCEEDED, HOUR, Draft, Part, Run
from simulator.fleet import Fleet
from simulator.templates import Schedule, Vm

_ROLES: Final = {"Windows": ("web", "sql", "app", "file", "erp"), "Linux": ("api", "db", "cache", "queue")}
_RP: Final = FailureState.AUTOMATION_RP_NOT_REGISTERED
_CLONE: Final = FailureState.CLONED_MACHINE
_WINDOW: Final = FailureState.MAINTENANCE_WINDOW_EXCEEDED
_ID: Final = FailureState.SOURCE_ID_CHANGED
_STOPPED: Final = FailureState.VM_STOPPED
_AGENT: Final = FailureState.UPDATE_AGENT_ERROR
_NAME: Final = FailureState.DUPLICATE_COMPUTER_NAME
_TENANT: Final = FailureState.CROSS_TENANT_LINKED_SUBSCRIPTION
_OTHER_ACCOUNT: Final = FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT
_SILENCED: Final = FailureState.MACHINE_CANNOT_COMMUNICATE
_CERTIFICATE: Final = FailureState.SELFSIGNED_CERT_FAILURE
_UNCLASSIFIED: Final = FailureState.HYBRID_AGENT_EVENT_4502
_COMPLAINTS: Final = (
    (_OTHER_ACCOUNT, "advice", '{"Message":"Machine is already registered to a different account."}'),
    (_SILENCED, "plan", "they do not possess a common algorithm"),
    (_SILENCED, "advice", "Newtonsoft.Json.JsonReaderException: Error parsing positive infinity value."),
    (_CERTIFICATE, "plan", "CertificateCreationException: Failed to create a self-signed certificate."),
    (_UNCLASSIFIED, "advice", "Object reference not set to an instance of an object."),
)
"""What agents complain about: the state that it means, what comes of it, and the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """A machine that lost its identity; which runs it failed in is known once its deployments are."""

    vm: Vm
    was: str
    deployments: int = 1


class Stories(Draft):
    """A draft, and every story that it can tell. The rest of its machines are healthy."""

    def __init__(self, machines: int, seed: int, now: datetime) -> None:
        super().__init__(machines, seed, now)
        self.ordinary: dict[str, list[Vm]] = {"Windows": [], "Linux": []}
        """Machines that the general deployments name."""
        self.changed: list[_Changed] = []
        self.base = self.ordinary_machine("Windows")
        """Healthy; lent to stories that need another machine beside their own."""
        self.starts(self.base, self.now - 20 * DAY)
        self.complains(self.base, "Received configuration", event=5002, hours=2)
        self.complains(self.base, "The worker started", log="Microsoft-SMA/Operational", event=15003, hours=2)
        when = self.now - 20 * HOUR
        self.rows["Operation"].append((when, partial(templates.operation, self.base, when)))

    def ordinary_machine(self, system: str) -> Vm:
        vm = self.machine(self.rng.choice(_ROLES[system]), system)
        self.lives(vm)
        self.ordinary[system].append(vm)
        return vm

    # Injuries.

    def unregistered_providers(self) -> None:
        never, undone = self.subscriptions[-3:-1]
        self.registration |= {never: "NotRegistered", undone: "Unregistered"}
        self.deployment(
            "Dynamic-Tagged", [], Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR),
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
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR)
        self._lost_identity(vm, schedule, f"Weekly-{vm.name}", [vm])
        why = "the deployment names no other machine: without it the target list would be empty"
        self.suffers(_ID, vm.key, "advice", why)

    def source_id_changed_too_late(self) -> None:
        vm = self.machine("pos")
        schedule = Schedule(every="Day", next_run=self.now + timedelta(minutes=10), duration=2 * HOUR)
        self._lost_identity(vm, schedule, f"Morning-{vm.name}", [vm, self.base])
        self.suffers(_ID, vm.key, "advice", "the next run is ten minutes away")

    def _lost_identity(self, vm: Vm, schedule: Schedule, name: str, vms: Sequence[Vm]) -> None:
        """A new identity since between the last run but one and the last."""
        was = self.guid("old agent", vm.id)
        self.changes_identity(vm, was, schedule.run(1) - 7 * HOUR)
        before = Run(parts={vm.id: Part(source_id=was)})
        failed = Run(parts={vm.id: Part(status="FailedToStart", source_id=was)})
        self.deployment(name, vms, schedule, [before, before, failed])

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
        after = Schedule(every="Week", next_run=schedule.next_run + 2.5 * HOUR, duration=3 * HOUR)
        self.deployment(f"After-{vm.name}", [vm], after, [Run(), Run(), Run()])

    def _exceeded(self, role: str, count: int, minutes: int, then: str, why: str) -> tuple[Vm, Schedule]:
        vms = [self.machine(role) for _ in range(count)]
        window = timedelta(minutes=minutes)
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=window)
        name = f"Weekly-{vms[0].name}"
        for vm in vms:
            self.lives(vm)
            self.guests[vm.key] = {"neededWindow": format_duration(window + timedelta(minutes=30))}
            self.progress(vm, name, schedule, 1, kb="5034439", status=EXCEEDED)
        run = Run(parts={vm.id: Part(status=EXCEEDED) for vm in vms})
        target = self.deployment(name, vms, schedule, [Run(), run, run])
        self.suffers(_WINDOW, target, then, why, count)
        return vms[0], schedule

    def complaining_agents(self) -> None:
        """One machine for each complaint; and two whose logs say something else, or said it days ago."""
        said = "A module of type Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent: "
        for state, then, text in _COMPLAINTS:
            vm = self.ordinary_machine("Windows")
            for hours in (1, 5, 20):
                self.complains(vm, f"{said}{text} (try {hours})", hours=hours)
            self.suffers(state, vm.key, then, f"its agent says: {text}")
        long_ago, other = self.ordinary_machine("Windows"), self.ordinary_machine("Windows")
        self.complains(long_ago, f"{said}{_COMPLAINTS[0][2]}", hours=30)
        self.complains(other, "A module of another component failed.")
        self.is_spared(
            sorted({state for state, *_ in _COMPLAINTS}), [long_ago.key, other.key], "said more than a day ago, or of "
            "another component",
        )  # fmt: skip

    def another_tenant(self) -> None:
        """A deployment that names a machine of a partner's subscription; one of a delegated subscription is a decoy."""
        for delegated in (False, True):
            name = self.name("Partner")
            guid, tenant = self.guid("partner", name), self.guid("tenant of", name)
            document = templates.subscription(guid, name.lower(), tenant)
            if delegated:
                document["managedByTenants"] = [{"tenantId": self.guid("tenant")}]
            self.documents.append(document)
            parts = self.base.id.split("/")
            foreign = replace(self.base, id="/".join([*parts[:2], guid, *parts[3:]]))
            schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR)
            target = self.deployment(name, [self.base, foreign], schedule)
            if delegated:
                self.is_spared([_TENANT], [target], "the other tenant's subscription is delegated by Azure Lighthouse")
            else:
                self.suffers(_TENANT, target, "advice", "it names a machine of another tenant's subscription", 0)

    # Decoys.

    def registering_provider(self) -> None:
        coming = self.subscriptions[-1]
        self.registration[coming] = "Registering"
        self.is_spared([_RP], [f"/subscriptions/{coming}"], "Registering is on its way")

    def reinstalled(self) -> None:
        vm = self.machine("app")
        when = self.now - self.rng.randint(16, 20) * DAY
        self.changes_identity(vm, self.guid("old agent", vm.id), when)
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR)
        self.deployment(f"Weekly-{vm.name}", [vm], schedule, [Run(), Run()])
        self.is_spared([_ID], [vm.key], "the identity changed long ago and the deployment runs with the current one")

    def same_name_twice(self) -> None:
        name = self.name("print")
        twins = [self.machine("print", name=name, computer=name, group=group) for group in ("rg-blue", "rg-green")]
        for vm in twins:
            self.lives(vm)
            self.ordinary["Windows"].append(vm)
            self.suffers(_NAME, vm.key, "advice", "another machine bears the same computer name")
        self.is_spared(
            [_ID, _CLONE], [vm.key for vm in twins], "one computer name, but two machines and two identities"
        )

    def new_agent(self) -> None:
        vm = self.machine("web")
        self.lives(vm)
        other = self.guid("new agent", vm.id)
        self.beats(vm, since=self.now - 3 * DAY, source_id=other, new_agent=True)
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
        hours_ago = self.now - self.rng.randint(3, 9) * HOUR
        self.beats(there, since=self.now - 3 * DAY, until=hours_ago)
        self.beats(vm, since=hours_ago + timedelta(minutes=5))
        self.is_assessed(vm)
        self.is_spared([_ID, _CLONE], [vm.key, there.key], "one machine that was moved: the same vmId under both ids")

    def restored_from_backup(self) -> None:
        vm = self.machine("doc")
        gone = _in_group(vm, "rg-doc", f"{vm.name}-old", self.guid("gone", vm.id))
        self.beats(gone, since=self.now - 9 * DAY, until=self.now - 4 * DAY)
        self.beats(vm, since=self.now - 3 * DAY)
        self.is_assessed(vm)
        why = "restored with the identity of a machine that has been gone for days"
        self.is_spared([_ID, _CLONE], [vm.key, gone.key], why)

    def stopped(self) -> None:
        vm = self.machine("test", running=False)
        next_run = (self.now + 3 * DAY).replace(hour=21, minute=0)
        schedule = Schedule(every="Week", next_run=next_run, duration=2 * HOUR)
        self.beats(vm, since=schedule.run(1) - 4 * DAY, until=schedule.run(1) - 9 * HOUR)
        failed = Run(parts={vm.id: Part(status="FailedToStart")})
        self.deployment(f"Weekly-{vm.name}", [vm, self.base], schedule, [Run(), Run(), failed])
        self.is_spared([_ID], [vm.key], "the machine was stopped; its identity is what it was")
        self.suffers(_STOPPED, vm.key, "advice", "stopped when its deployment ran, and not tagged to be started")

    def healed(self) -> None:
        vm = self.machine("mail")
        was = self.guid("old agent", vm.id)
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR)
        self.changes_identity(vm, was, schedule.run(2) - 7 * HOUR)
        runs = [
            Run(parts={vm.id: Part(source_id=was)}),
            Run(parts={vm.id: Part(status="FailedToStart", source_id=was)}),
            Run(),
        ]
        self.deployment(f"Weekly-{vm.name}", [vm, self.base], schedule, runs)
        self.is_spared([_ID], [vm.key], "a later run of the same deployment succeeded with the new identity")

    def one_time_long_past(self) -> None:
        start = (self.now - 25 * DAY).replace(hour=22, minute=0)
        self._borrowed("OneTime", Schedule(every="OneTime", next_run=start, duration=2 * HOUR), [EXCEEDED],
                       "a one-time deployment that is over: nothing to widen")  # fmt: skip

    def exceeded_with_a_download_failure(self) -> None:
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR)
        name = self._borrowed("Monthly-Rollup", schedule, ["", "", EXCEEDED], "the same run failed to download")
        self.progress(self.base, name, schedule, 1, kb="5034768", status="InstallFailed", error="0x80244019")
        self.progress(self.base, name, schedule, 1, kb="5034439", status=EXCEEDED)
        self.suffers(_AGENT, self.base.key, "advice", "an update failed to download: the server does not have it", 0)

    def disabled(self) -> None:
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR, enabled=False)
        self._borrowed("Disabled", schedule, [EXCEEDED, EXCEEDED], "disabled")

    def widened_since(self) -> None:
        schedule = Schedule(every="Week", next_run=self.later("Week"), duration=3 * HOUR)
        self._borrowed("Widened", schedule, [EXCEEDED, EXCEEDED, ""], "widened since, and the newest run succeeded",
                       before=2 * HOUR)  # fmt: skip

    def _borrowed(
        self, name: str, schedule: Schedule, statuses: Sequence[str], why: str, *, before: timedelta | None = None
    ) -> str:
        """A deployment that names the first ordinary machine only; answers its name."""
        name = self.name(name)
        runs = [
            Run(
                parts={self.base.id: Part(status=status)} if status else {},
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
        return self.finished(
            (
                _RP,
                _CLONE,
                _WINDOW,
                _ID,
                _STOPPED,
                _AGENT,
                _NAME,
                _TENANT,
                _OTHER_ACCOUNT,
                _SILENCED,
                _CERTIFICATE,
                _UNCLASSIFIED,
            )
        )

    def _general_deployments(self, system: str, vms: list[Vm]) -> None:
        """Weekly ones for everybody, each with its share of the machines that lost their identity."""
        changed = [each for each in self.changed if each.vm.os == system]
        size = 4 if self.size < 100 else 40 if self.size < 1000 else self.rng.randint(150, 300)
        shares = [vms[start : start + size] for start in range(0, len(vms), size)]
        weekly = [Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR) for _ in shares]
        monthly = Schedule(every="Month", next_run=self.later("Month"), duration=3 * HOUR)
        twice = [each for each in changed if each.deployments == 2]
        for number, each in enumerate(changed):
            first = weekly[number % len(shares)].run(1)
            newest = min(first, monthly.run(1)) if each in twice else first
            self.changes_identity(each.vm, each.was, newest - self.rng.randint(6, 40) * HOUR)
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
        before = Run(parts={each.vm.id: Part(source_id=each.was) for each in lost})
        newest = Run(parts={each.vm.id: Part(status="FailedToStart", source_id=each.was) for each in lost})
        self.deployment(name, vms, schedule, [before, before, newest], system=system)


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
