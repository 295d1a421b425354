"""S3, cause duplicate name, and X6: two machines bear the same computer name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bearer:
    """A VM that beats under a name now."""

    machine: Machine | None
    """None for one that the inventory does not have."""
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateComputerName:
    """Two machines of one workspace bear the same computer name, and Update Management shows only one of them.

    Looks like: "The components for the 'Update Management' solution have been enabled, and now this virtual machine is
    being configured" for ever; a machine whose updates are another one's.
    Evidence: the newest beats of two or more different VMs, within `fresh`, carry the same computer name (with its
    domain) and identities of their own.
    Healthy: the name belongs to one VM, even where that moved, was built anew or changed its identity; machines that
    share their identity too are clones, and found as such.
    Unknown: a machine beats under the name, and the inventory or its beat has no VM id to tell it from the others.
    While the workspace takes no data in, all of this is unknown.
    Source: troubleshooting article of March 2020, under "The components ... have been enabled" (S3, X6).
    """

    finds: ClassVar[FailureState] = FailureState.DUPLICATE_COMPUTER_NAME
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"duplicate-computer-name"})
    fresh: timedelta = timedelta(hours=1)
    """Agents beat once a minute: one silent for longer does not use the name now."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts) or blind(self.finds, facts):
            yield gap
            return
        by_name: dict[str, list[Row]] = {}
        for row in facts.rows.get("duplicate-computer-name", ()):
            beat = parse_time(row.get("LastBeat"))
            if beat is not None and facts.now - beat <= self.fresh:
                by_name.setdefault(str(row.get("Name")), []).append(row)
        wanted = frozenset(id_ for rows in by_name.values() for row in rows for id_ in vm_ids(str(row.get("VmId"))))
        by_vm_id = {machine.vm_id: machine for machine in facts.machines.values() if machine.vm_id in wanted}
        for name in sorted(by_name):
            yield from self._judged(name, by_name[name], facts, by_vm_id)

    def _judged(
        self, name: str, rows: Sequence[Row], facts: Facts, by_vm_id: Mapping[str, Machine]
    ) -> Iterator[Detection]:
        bearers: dict[str, _Bearer] = {}  # by one spelling of the VM's own id
        doubtful: list[Machine] = []
        for row in sorted(rows, key=lambda row: str(row.get("MachineId"))):
            machine = facts.machines.get(str(row.get("MachineId")))
            spellings = vm_ids(str(row.get("VmId")))
            if machine is not None and (not machine.vm_id or not spellings):
                doubtful.append(machine)
            elif machine is not None and machine.vm_id not in spellings:
                # The beats of the VM that had this resource id before it was built anew.
                continue
            elif spellings:
                # The same VM may beat under a former resource id too, or without one.
                known = next((by_vm_id[spelling] for spelling in spellings if spelling in by_vm_id), None)
                if known is not None or _is_elsewhere(str(row.get("MachineId")), facts):
                    bearer = _Bearer(machine=known, row=row)
                    vm = min(spellings)
                    bearers[vm] = bearer if machine is not None else bearers.get(vm, bearer)
        if len(bearers) + len(doubtful) < 2:
            return
        for machine in doubtful:
            yield Unknown(state=self.finds, target=machine.id, missing=f"the VM's own id behind every beat of {name}")
        for bearer in bearers.values():
            # One identity under one name is a clone, whose own detector says what to do.
            others = [b for b in bearers.values() if b is not bearer and _identity(b.row) != _identity(bearer.row)]
            if bearer.machine is not None and others:
                yield self._finding(name, bearer.machine, bearer.row, others)

    def _finding(self, name: str, machine: Machine, row: Row, others: Sequence[_Bearer]) -> Finding:
        known = sorted(other.machine.id for other in others if other.machine)
        places = [*known, *(["a machine out of reach"] if len(known) < len(others) else [])]
        beat = parse_time(row.get("LastBeat"))
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"bears the computer name {name}, as does {', '.join(places)}",
            evidence={
                "computer": row.get("Computer"),
                "sourceComputerId": row.get("SourceComputerId"),
                "sharedWith": [*known],
                "machines": len(others) + 1,
                "lastBeat": format_time(beat) if beat else None,
            },
        )


def _identity(row: Row) -> str:
    return str(row.get("SourceComputerId") or "")


def _is_elsewhere(machine_id: str, facts: Facts) -> bool:
    """True for a machine that the inventory does not cover; one that it should have and has not is gone."""
    if machine_id.startswith(_BY_VM_ID):
        return True
    try:
        return subscription_of(machine_id) not in facts.subscriptions
    except InvalidResourceId:
        return False
