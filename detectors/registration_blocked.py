"""S3, cause blocked: the agent beats, and its hybrid worker never registered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors import workspace_causes
from detectors.complaints import QUERIES, complaints
from detectors.inside import found_without
from model.facts import Facts, Machine, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.resource_ids import vm_ids
from model.states import FailureState
from model.times import format_time, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationBlocked:
    """A machine's agent has the solution and reports, but its hybrid worker does not register and nothing is assessed.

    Looks like: "The components for the 'Update Management' solution have been enabled, and now this virtual machine is
    being configured. Please be patient, as this can sometimes take up to 15 minutes." for ever.
    Evidence: the agent beats with the updates solution for more than an hour; there is no row of an assessment, and no
    system hybrid worker group of its identity or its computer name.
    Healthy: it has a group, or was assessed; it is silent or began within the hour; its identity is also another
    machine's, or its agent says itself what is wrong (event 4502): then that is what is found.
    Unknown: heartbeats, assessments, worker groups or machines could not be read; the VM's own id is missing. While the
    workspace takes no data in, is not linked or lacks the solution, all of this is unknown: that comes first.
    Source: troubleshooting article, "The components ... have been enabled" (S3).
    """

    finds: ClassVar[FailureState] = FailureState.REGISTRATION_BLOCKED
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES, Reading.SYSTEM_GROUPS}) | workspace_causes.READS
    queries: ClassVar[frozenset[str]] = frozenset({"registration-blocked"}) | QUERIES | workspace_causes.QUERIES
    fresh: timedelta = timedelta(hours=1)
    """Agents beat once a minute: one silent for longer has another trouble first."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        # Where nobody collects the agents' log the state can still be told, only not by which of them.
        if gap := facts.missing(*sorted(self.reads), "registration-blocked"):
            yield Unknown(state=self.finds, target="", missing=gap.what)
            return
        if cause := workspace_causes.explained(self.finds, facts):
            yield cause
            return
        rows = facts.rows.get("registration-blocked", ())
        identities = [str(row.get("SourceComputerId")) for row in rows]
        registered = {group.source_computer_id for group in facts.system_groups.values()}
        # A name can only make us more careful here.
        named = {_short(group.computer) for group in facts.system_groups.values()}
        explained = {complaint.target for complaint in complaints(facts) if complaint.means}
        for row in sorted(rows, key=lambda row: str(row.get("MachineId"))):
            machine, identity = facts.machines.get(str(row.get("MachineId"))), str(row.get("SourceComputerId"))
            beat = parse_time(row.get("LastBeat"))
            if machine is None or beat is None or facts.now - beat > self.fresh or machine.id in explained:
                continue
            if identity in registered or identities.count(identity) > 1 or _short(str(row.get("Computer"))) in named:
                continue
            spellings = vm_ids(str(row.get("VmId")))
            if not machine.vm_id or not spellings:
                missing = "the VM's own id, in the inventory and in its heartbeats"
                yield Unknown(state=self.finds, target=machine.id, missing=missing)
            elif machine.vm_id in spellings:
                yield self._finding(machine, row)

    def _finding(self, machine: Machine, row: Row) -> Finding:
        first, last = parse_time(row.get("First")), parse_time(row.get("LastBeat"))
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason="its agent reports, but no hybrid worker of it ever registered and nothing was assessed",
            since=first,
            evidence={
                "computer": row.get("Computer"),
                "sourceComputerId": row.get("SourceComputerId"),
                "lastBeat": format_time(last) if last else None,
            },
        )


def _short(computer: str) -> str:
    """A computer's name without its domain."""
    return computer.partition(".")[0].lower()
