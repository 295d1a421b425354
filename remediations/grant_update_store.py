"""Give Windows Update the rights on its own store back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.free_update_cache import drive_full
from remediations.start_update_service import settled
from remediations.windows_updates import RUN_COMMAND, advised, deployments_of, on_the_machine, script, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUpdateStore:
    """Give SYSTEM full control of the folder in which Windows Update stores updates.

    Effect: the access list of `%WinDir%\\SoftwareDistribution` is saved and gets one entry more, for SYSTEM by its SID;
    the machine is assessed anew. Owners and other entries stay.
    Declined: the code does not speak of rights; a look inside, or the script on the machine, finds less than 1 GB of
    the system drive free, which is the cause then; the machine is not a running Windows VM with a ready guest agent. On
    the machine: SYSTEM has the rights; a deny entry or a foreign owner is the cause.
    Risk: access denied is what malware looks like, too; whoever took the rights away may have had a reason.
    Verified: the newest assessment, or the next run where the error was one of an installation, has no error.
    Undo: the saved access list is brought back.
    """

    id: ClassVar[str] = "grant-update-store"
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
        if finding.evidence.get("action") != self.id or drive_full(finding) or unfit(finding, facts):
            return advised(finding, facts, self.id)
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{finding.evidence['code']}: {finding.evidence['meaning']}. SYSTEM needs its rights on the store.",
            steps=(script(machine, "grant-update-store", undo="restore-store-rights"),),
            settle=settled(finding, facts, self.after_run),
            risk=f"Scan {machine.name} for malware, too: access denied is what it looks like.",
        )
