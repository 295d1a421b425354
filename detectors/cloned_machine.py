"""S3, cause clone: machines made from one image share the agent's identity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Final

from detectors.protocol import unreadable
from detectors.workspace_causes import blind
from model.facts import Facts, Machine, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.resource_ids import InvalidResourceId, subscription_of, vm_ids
from model.states import FailureState
from model.times import format_time, parse_time

_BY_VM_ID: Final = "vmuuid:"
"""How the query names a machine whose beats carry no resource id."""


@dataclass(slots=True)
class _Sharers:
    """Who beats under one identity now."""

    members: dict[str, tuple[Machine, Row]] = field(default_factory=dict)
    """By resource id: machines of the inventory, told by their VM id."""
    outside: set[str] = field(default_factory=set)
    """VMs that the inventory does not have: they count, but nothing can be done to them."""
    doubtful: dict[str, Machine] = field(default_factory=dict)
    """Machines whose own id is missing, so that nobody can tell whether they are the same VM as another one."""
    nameless: int = 0
    """Beats that say nothing at all of their machine."""

    @property
    def vms(self) -> frozenset[str]:
        return frozenset(self.outside | {_one_spelling(machine.vm_id) for machine, _ in self.members.values()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClonedMachine:
    """Machines copied without Sysprep report under one identity, and only one of them is managed at a time.

    Looks like: "The components for the 'Update Management' solution have been enabled, and now this virtual machine is
    being configured" for ever; machines that come and go in the list.
    Evidence: the newest beats of two or more different VMs, within `fresh`, carry the same `SourceComputerId`.
    Healthy: the identity belongs to one VM, even where that moved to another resource group or came from a backup.
    Unknown: a machine beats under the identity and the inventory, or its beat, has no VM id to tell it from the others.
    While the workspace takes no data in, all of this is unknown.
    Source: troubleshooting article, "The components ... have been enabled" (S3).
    """

    finds: ClassVar[FailureState] = FailureState.CLONED_MACHINE
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"cloned-machine"})
    fresh: timedelta = timedelta(hours=1)
    """Agents beat once a minute: one silent for longer is not using the identity now."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts) or blind(self.finds, facts):
            yield gap
            return
        for identity, sharers in self._sharers(facts).items():
            cloned = len(sharers.vms) > 1
            if cloned:
                for machine, row in sharers.members.values():
                    yield self._finding(identity, machine, row, sharers)
            doubtful = dict(sharers.doubtful)
            if sharers.nameless and not cloned:
                doubtful |= {machine.id: machine for machine, _ in sharers.members.values()}
            if len(sharers.vms) + len(sharers.doubtful) + sharers.nameless > 1:
                for machine_id in doubtful:
                    missing = f"the VM's own id behind every beat under {identity}"
                    yield Unknown(state=self.finds, target=machine_id, missing=missing)

    def _sharers(self, facts: Facts) -> dict[str, _Sharers]:
        rows = [
            row
            for row in facts.rows["cloned-machine"]
            if (beat := parse_time(row.get("LastBeat"))) is not None and facts.now - beat <= self.fresh
        ]
        by_vm_id = _by_vm_id(facts.machines.values(), rows)
        found: dict[str, _Sharers] = {}
        for row in rows:
            _place(found.setdefault(str(row.get("SourceComputerId")), _Sharers()), row, facts, by_vm_id)
        return found

    def _finding(self, identity: str, machine: Machine, row: Row, sharers: _Sharers) -> Finding:
        others = [member for member, _ in sharers.members.values() if member.id != machine.id]
        names = [*sorted(member.name for member in others), *(["a machine out of reach"] if sharers.outside else [])]
        beat = parse_time(row.get("LastBeat"))
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"shares the agent identity {identity} with {', '.join(names)}",
            evidence={
                "sourceComputerId": identity,
                "computer": row.get("Computer"),
                "sharedWith": [*sorted(member.id for member in others)],
                "lastBeat": format_time(beat) if beat else None,
            },
        )


def _place(sharers: _Sharers, row: Row, facts: Facts, by_vm_id: Mapping[str, Machine]) -> None:
    """Put the machine of one beat where it belongs: the same VM is counted once, however it is called."""
    id_, spellings = str(row.get("MachineId")), vm_ids(str(row.get("VmId")))
    machine = facts.machines.get(id_)
    if machine is not None:
        if not machine.vm_id or not spellings:
            sharers.doubtful[machine.id] = machine
        elif machine.vm_id in spellings:
            sharers.members[machine.id] = (machine, row)
        # Else the beats are of the VM that had this resource id before it was built anew.
        return
    same = next((by_vm_id[spelling] for spelling in spellings if spelling in by_vm_id), None)
    if same is not None:
        # The VM under a former resource id, or without one.
        sharers.members.setdefault(same.id, (same, row))
    elif id_.startswith(_BY_VM_ID) and not spellings:
        sharers.nameless += 1
    elif id_.startswith(_BY_VM_ID) or not _would_be_listed(id_, facts):
        sharers.outside.add(_one_spelling(str(row.get("VmId"))) or id_)
    # Else it was deleted within the hour.


def _by_vm_id(machines: Iterable[Machine], rows: Iterable[Row]) -> dict[str, Machine]:
    """The machines that the rows speak of, by their VM id."""
    wanted = frozenset(spelling for row in rows for spelling in vm_ids(str(row.get("VmId"))))
    return {machine.vm_id: machine for machine in machines if machine.vm_id in wanted}


def _one_spelling(vm_id: str) -> str:
    """One of a VM id's two spellings, always the same; empty for no id."""
    return min(vm_ids(vm_id), default="")


def _would_be_listed(machine_id: str, facts: Facts) -> bool:
    """True where the inventory covers the machine's subscription, so that it would name the machine if it existed."""
    try:
        return subscription_of(machine_id) in facts.subscriptions
    except InvalidResourceId:
        return False
