"""Why a machine failed to start in a run (S6): one tree, in which the first cause that fits is the cause.

In this order: the VM is deleted, or moved; it is stopped; its worker is not seen; its worker group is gone. A machine
that has another identity than the one that was called is `source-id-changed`; what nothing here explains may be the
account's limit of jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from detectors.protocol import Detector, unreadable
from model.documents import Json, list_at, text_at
from model.facts import (
    VIRTUAL_MACHINE_TYPE,
    Deployment,
    Facts,
    Machine,
    MachineRun,
    PowerState,
    Reading,
    Row,
    SystemGroup,
    Unreadable,
    workers_of,
)
from model.findings import Detection, Finding, Unknown
from model.resource_ids import InvalidResourceId, ResourceId, vm_ids
from model.runs import newest_runs, runs_again
from model.states import FailureState
from model.times import format_time, parse_time
from model.words import at_time

READS: Final = frozenset(
    {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS, Reading.SYSTEM_GROUPS}
)
QUERIES: Final = frozenset({"silent-machines", "source-id-changed"})
UNSEEN: Final = timedelta(hours=1)
"""A worker that was not seen for as long is called disconnected; a ping comes every minute."""
PURGED: Final = timedelta(days=30)
"""Azure Automation removes a worker that has not pinged for as long."""
NO_GROUP: Final = "hybrid worker group that does not exist"
_OFF: Final = frozenset({PowerState.STOPPED, PowerState.DEALLOCATED})
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedStart:
    """A machine's part in the newest run of a deployment: it failed to start."""

    part: MachineRun
    deployment: Deployment
    started: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What kept a machine from starting."""

    state: FailureState
    reason: str
    since: datetime | None
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Whether it is the cause `state` cannot be told for want of `missing`; nor can anything further down the tree."""

    state: FailureState
    missing: str


# Not slotted: what is worked out once is kept.
@dataclass(frozen=True, kw_only=True)
class FailedStarts:
    """Every VM that failed to start in the newest run of a deployment, and why."""

    facts: Facts

    @cached_property
    def by_target(self) -> Mapping[str, tuple[FailedStart, ...]]:
        """By lower-case resource id, the newest run first."""
        newest = newest_runs(self.facts)
        found: dict[str, list[FailedStart]] = {}
        for part in self.facts.machine_runs:
            deployment = newest.deployment_of(part.run)
            if part.status == "failedtostart" and deployment and _is_vm(part.target):
                started = part.start or newest.by_deployment[deployment.id][0].start
                found.setdefault(part.target, []).append(FailedStart(part=part, deployment=deployment, started=started))
        return {
            target: tuple(sorted(starts, key=lambda start: start.started or _LONG_AGO, reverse=True))
            for target, starts in found.items()
        }

    def suspects(self) -> frozenset[str]:
        """The deployments that called in vain; VMs that are not in the inventory; the workers of those that are."""
        wanted = set[str]()
        for target, starts in self.by_target.items():
            wanted |= {start.deployment.id for start in starts}
            if target not in self.facts.machines:
                wanted |= {target} if _subscription(target) in self.facts.subscriptions else set()
            elif group := self._groups.get(self._called(target, starts)):
                wanted.add(workers_of(group.id))
        return frozenset(wanted)

    def cause(self, target: str) -> Cause | Doubt | None:
        """The first cause that fits; None where nothing of the tree does."""
        starts = self.by_target[target]
        machine = self.facts.machines.get(target)
        if machine is None:
            return self._gone(target, starts)
        if machine.power in _OFF:
            return self._stopped(machine, starts)
        if machine.power is not PowerState.RUNNING:
            return Doubt(state=FailureState.VM_STOPPED, missing="the machine's power state")
        return self._running(machine, starts)

    def changed_identity(self, target: str) -> bool:
        """True where the machine beats now, under another identity than the one that was called."""
        newest = self._newest_identity.get(target)
        return newest is not None and newest != self._called(target, self.by_target[target])

    def running_again(self, target: str) -> tuple[tuple[FailedStart, ...], str]:
        """The starts of deployments that will run again, and in words of which one that cannot be told."""
        again: list[FailedStart] = []
        doubt = ""
        for start in self.by_target[target]:
            id_ = start.deployment.id
            document = self.facts.documents.get(id_)
            if unread := self.facts.missing(id_):
                doubt = unread.what
            elif document is not None:
                match runs_again(document, self.facts.now):
                    case True:
                        again.append(start)
                    case None:
                        doubt = f"whether {start.deployment.name} will run again"
                    case False:
                        pass
        return tuple(again), doubt

    def _gone(self, target: str, starts: tuple[FailedStart, ...]) -> Cause | Doubt | None:
        """The VM is not in the inventory."""
        facts, state = self.facts, FailureState.VM_DELETED
        if not any(target in start.deployment.azure_machines for start in starts):
            # A dynamic query that chose it then does not choose it now.
            return None
        if _subscription(target) not in facts.subscriptions:
            return Doubt(state=state, missing="the inventory of its subscription, which is not in scope")
        if unread := facts.missing(target):
            # Refused, throttled or broken is not absent.
            return Doubt(state=state, missing=unread.what)
        if target in facts.documents:
            return Doubt(state=state, missing="the VM in Resource Graph, which lags behind Resource Manager")
        beat = self._silent.get(target)
        last = parse_time(beat.get("LastBeat")) if beat else None
        own = vm_ids(str(beat.get("VmId"))) if beat else frozenset()
        now_at = next((machine for machine in facts.machines.values() if machine.vm_id in own), None)
        if now_at:
            return Cause(
                state=FailureState.VM_MOVED,
                reason=f"the VM is now {now_at.arm_id}: same vmId, another resource id",
                since=last,
                evidence={"movedTo": now_at.arm_id, "vmId": now_at.vm_id},
            )
        name = target.rsplit("/", 1)[-1]
        if not own and any(machine.name.lower() == name for machine in facts.machines.values()):
            # A name decides nothing; it can only keep us from taking a machine out that may have been moved.
            return Doubt(state=state, missing=f"its own vmId: another VM named {name} may be the same one, moved")
        called = starts[0].started
        return Cause(
            state=state,
            reason="Azure has no such VM any more: 404, not in Resource Graph, and its vmId nowhere else",
            # The service looked for it in vain when the run started, and it lived when it beat.
            since=max(called, last) if called and last else called,
            evidence={"lastBeat": format_time(last) if last else None},
        )

    def _stopped(self, machine: Machine, starts: tuple[FailedStart, ...]) -> Cause | Doubt | None:
        seen = self._seen(machine.id, starts)
        if isinstance(seen, Unreadable):
            return Doubt(state=FailureState.VM_STOPPED, missing=seen.what)
        beat = self._silent.get(machine.id)
        last = max((moment for moment in (seen, parse_time(beat.get("LastBeat")) if beat else None) if moment),
                   default=None)  # fmt: skip
        started = starts[0].started
        if last and started and last > started:
            # It was up when the run began: something else kept it from starting.
            return None
        return Cause(
            state=FailureState.VM_STOPPED,
            reason=f"the VM is {machine.power.value}, and was not up when the run began",
            since=last or started,
            evidence={"power": machine.power.value, "lastSeen": format_time(last) if last else None},
        )

    def _running(self, machine: Machine, starts: tuple[FailedStart, ...]) -> Cause | Doubt | None:
        called = self._called(machine.id, starts)
        if not called:
            return Doubt(state=FailureState.WORKER_UNREACHABLE, missing="the identity that the newest run called")
        group = self._groups.get(called)
        seen = self._seen(machine.id, starts)
        if isinstance(seen, Unreadable):
            return Doubt(state=FailureState.WORKER_UNREACHABLE, missing=seen.what)
        now, beat = self.facts.now, self._silent.get(machine.id)
        changed = self.changed_identity(machine.id)
        if changed and not beat:
            # It beats as somebody else: that the old worker is silent, or gone, is what becomes of old ones.
            return None
        if group and not changed:
            if not self._has_workers(group):
                return Doubt(state=FailureState.WORKER_UNREACHABLE, missing="a worker in the group that was called")
            if seen and now - seen <= UNSEEN:
                return None
            said = f"was seen last at {at_time(seen)}" if seen else "was never seen"
            return Cause(
                state=FailureState.WORKER_UNREACHABLE,
                reason=f"the VM runs, and its worker {said}",
                since=seen or starts[0].started,
                evidence={"workerGroup": group.name, "lastSeen": format_time(seen) if seen else None},
            )
        last = parse_time(beat.get("LastBeat")) if beat else None
        if last and now - last < PURGED:
            return Cause(
                state=FailureState.WORKER_UNREACHABLE,
                reason=f"the VM runs, and its agent beat last at {at_time(last)}",
                since=last,
                evidence={"workerGroup": group.name if group else None, "lastSeen": format_time(last)},
            )
        computers = {_short(machine.name), _short(str(beat.get("Computer") or "")) if beat else ""} - {""}
        if changed or not computers.isdisjoint(self._computers):
            # It registered anew, or may have: a name can only make us more careful.
            return None
        error = starts[0].part.error.lower()
        if error and NO_GROUP not in error:
            return None
        return Cause(
            state=FailureState.WORKER_GROUP_PURGED,
            reason=f"the account has no worker group for the agent {called}, nor any for {machine.name}",
            since=last or starts[0].started,
            evidence={"sourceComputerId": called, "lastBeat": format_time(last) if last else None,
                      "computer": str(beat.get("Computer") or "") if beat else machine.name},
        )  # fmt: skip

    def _called(self, target: str, starts: tuple[FailedStart, ...]) -> str:
        """The identity that the newest run called; where it does not say, the one under which the machine beat last."""
        beat = self._silent.get(target)
        return starts[0].part.source_computer_id or (str(beat.get("SourceComputerId") or "") if beat else "")

    def _seen(self, target: str, starts: tuple[FailedStart, ...]) -> datetime | Unreadable | None:
        """When the worker that was called was seen last; None where there is none, or it never was."""
        group = self._groups.get(self._called(target, starts))
        if group is None:
            return None
        if unread := self.facts.missing(workers_of(group.id)):
            return unread
        workers = list_at(self.facts.documents.get(workers_of(group.id)) or {}, "value")
        times = [parse_time(text_at(w, "properties.lastSeenDateTime")) for w in workers if isinstance(w, dict)]
        return max((time for time in times if time), default=None)

    def _has_workers(self, group: SystemGroup) -> bool:
        return bool(list_at(self.facts.documents.get(workers_of(group.id)) or {}, "value"))

    @cached_property
    def _groups(self) -> Mapping[str, SystemGroup]:
        """By the identity that registered."""
        return {group.source_computer_id: group for group in self.facts.system_groups.values()}

    @cached_property
    def _computers(self) -> frozenset[str]:
        return frozenset(_short(group.computer) for group in self._groups.values())

    @cached_property
    def _newest_identity(self) -> Mapping[str, str]:
        """Of machines that had several."""
        rows = sorted(
            self.facts.rows.get("source-id-changed", ()), key=lambda row: parse_time(row.get("Last")) or _LONG_AGO
        )
        return {str(row.get("MachineId")): str(row.get("SourceComputerId")) for row in rows}

    @cached_property
    def _silent(self) -> Mapping[str, Row]:
        return {str(row.get("MachineId")): row for row in self.facts.rows.get("silent-machines", ())}


def found(detector: Detector, facts: Facts) -> Iterator[Detection]:
    """What the tree says of one state: a finding for each machine with that cause, and the doubts about it."""
    if gap := unreadable(detector, facts):
        yield gap
        return
    starts = FailedStarts(facts=facts)
    for target in starts.by_target:
        match starts.cause(target):
            case Doubt(state=state, missing=missing) if state is detector.finds:
                yield Unknown(state=state, target=target, missing=missing)
            case Cause(state=state) as cause if state is detector.finds:
                again, doubt = starts.running_again(target)
                if again:
                    yield _finding(target, cause, again, facts)
                elif doubt:
                    yield Unknown(state=state, target=target, missing=doubt)
            case _:
                pass


def _finding(target: str, cause: Cause, starts: tuple[FailedStart, ...], facts: Facts) -> Finding:
    machine = facts.machines.get(target)
    name = machine.name if machine else target.rsplit("/", 1)[-1]
    coming = sorted(start.deployment.next_run for start in starts if start.deployment.next_run)
    deployments = sorted({start.deployment.name for start in starts})
    return Finding(
        state=cause.state,
        target=target,
        name=name,
        reason=f"{', '.join(deployments)} failed to start on it: {cause.reason}",
        since=cause.since,
        evidence={
            "deployments": [*deployments],
            "machineRuns": [start.part.id for start in starts],
            "nextRun": format_time(coming[0]) if coming else None,
            **cause.evidence,
        },
    )


def _is_vm(target: str) -> bool:
    try:
        return ResourceId.parse(target).is_type(VIRTUAL_MACHINE_TYPE)
    except InvalidResourceId:
        return False


def _subscription(target: str) -> str:
    return ResourceId.parse(target).subscription.lower()


def _short(name: str) -> str:
    return name.lower().split(".", 1)[0]
