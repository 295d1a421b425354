"""S3, cause clone: machines made from one image share the agent's identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors.protocol import unreadable
from model.facts import Facts, Machine, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.resource_ids import vm_ids
from model.states import FailureState
from model.times import format_time, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ClonedMachine:
    """Machines copied without Sysprep report under one identity, and only one of them is managed at a time.

    Looks like: "The components for the 'Update Management' solution have been enabled, and now this virtual machine is
    being configured" for ever; machines that come and go in the list.
    Evidence: the newest beats of two or more different VMs, within `fresh`, carry the same `SourceComputerId`.
    Healthy: the identity belongs to one VM, even where that moved to another resource group or came from a backup.
    Unknown: a machine beats under the identity and the inventory has no VM id to tell it from the others.
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
        if gap := unreadable(self, facts):
            yield gap
            return
        sharing: dict[str, list[tuple[Machine, Row]]] = {}
        outside: dict[str, list[str]] = {}
        for row in facts.rows["cloned-machine"]:
            beat, identity = parse_time(row.get("LastBeat")), str(row.get("SourceComputerId"))
            if beat is None or facts.now - beat > self.fresh:
                continue
            machine = facts.machines.get(str(row.get("MachineId")))
            if machine is None:
                # Outside Azure, or gone from the inventory: it may count, but nothing can be done to it.
                outside.setdefault(identity, []).append(str(row.get("MachineId")))
            elif not machine.vm_id:
                yield Unknown(state=self.finds, target=machine.id, missing="the VM's own id in the inventory")
            elif machine.vm_id in vm_ids(str(row.get("VmId"))):
                sharing.setdefault(identity, []).append((machine, row))
        for identity, members in sharing.items():
            others_outside = [m for m in outside.get(identity, []) if m.startswith("vmuuid:")]
            if len({machine.vm_id for machine, _ in members}) + len(others_outside) > 1:
                for machine, row in members:
                    yield self._finding(identity, machine, row, [m for m, _ in members])

    def _finding(self, identity: str, machine: Machine, row: Row, members: list[Machine]) -> Finding:
        others = sorted(member.name for member in members if member.id != machine.id)
        beat = parse_time(row.get("LastBeat"))
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"shares the agent identity {identity} with {', '.join(others) or 'a machine outside Azure'}",
            evidence={
                "sourceComputerId": identity,
                "computer": row.get("Computer"),
                "sharedWith": [*sorted(member.id for member in members if member.id != machine.id)],
                "lastBeat": format_time(beat) if beat else None,
            },
        )
