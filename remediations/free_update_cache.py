"""Make room on a full system drive from Windows Update's own downloads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.start_update_service import settled
from remediations.windows_updates import RUN_COMMAND, advised, deployments_of, on_the_machine, script, unfit

_LEAST_FREE: Final = 1024
"""Megabytes; with less, Windows Update says that access is denied."""
_DENIED: Final = "0x80070005"


def drive_full(finding: Finding) -> bool:
    """True where a look inside has found the system drive full."""
    free = finding.evidence.get("freeMegabytes")
    return isinstance(free, int) and free < _LEAST_FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeUpdateCache:
    """Remove what Windows Update has downloaded, where the system drive is full and that denies it access.

    Effect: the content of `%WinDir%\\SoftwareDistribution\\Download` is removed while wuauserv and BITS are stopped;
    the machine is assessed anew. Nothing else on the drive is touched, nor the history of updates.
    Declined: the code is not 0x80070005; no look inside has found less than 1 GB of the system drive free; the machine
    is not a running Windows VM with a ready guest agent. On the machine: there is room, nothing was downloaded, or an
    installation is under way.
    Risk: what is needed is downloaded again; what else fills the drive will fill it again.
    Verified: the newest assessment, or the next run where the error was one of an installation, has no error.
    Undo: none; updates are downloaded again when they are needed.
    """

    id: ClassVar[str] = "free-update-cache"
    fixes: ClassVar[FailureState] = FailureState.UPDATE_AGENT_ERROR
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()
    after_run: timedelta = timedelta(hours=7)
    """As for `start-update-service`."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts) | deployments_of(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if finding.evidence.get("code") != _DENIED or not drive_full(finding) or unfit(finding, facts):
            return advised(finding, facts, self.id)
        machine = facts.machines[finding.target]
        step = hashlib.sha256(f"{self.id}:{machine.id}".encode()).hexdigest()[:16]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"Only {finding.evidence['freeMegabytes']} MB of the system drive are free, and Windows Update needs "
                "more. The script removes what it has downloaded, which it downloads again."
            ),
            steps=(script(machine, "free-update-cache", parameters={"StepId": step}),),
            settle=settled(finding, facts, self.after_run),
            risk=f"Something else may have filled the drive of {machine.name}, and will fill it again.",
        )
