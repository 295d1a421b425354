"""Let Windows Update build its store anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.start_update_service import settled
from remediations.windows_updates import RUN_COMMAND, advised, deployments_of, on_the_machine, script, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetUpdateStore:
    """Rename what Windows Update has stored on the machine, so that it builds it anew.

    Effect: wuauserv, BITS and CryptSvc stop; `%WinDir%\\SoftwareDistribution` and `System32\\catroot2` get another
    name; the services start, and the machine is assessed anew. Nothing is deleted. Once a week at most.
    Declined: the code does not speak of a damaged store; the machine is not a running Windows VM with a ready guest
    agent. On the machine: updates are being installed.
    Risk: the update history that the machine shows begins anew; the first scan is a full one.
    Verified: the newest assessment, or the next run where the error was one of an installation, has no error.
    Undo: the folders get their names back; what was stored since is renamed in its turn.
    """

    id: ClassVar[str] = "reset-update-store"
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
        if finding.evidence.get("action") != self.id or unfit(finding, facts):
            return advised(finding, facts, self.id)
        machine = facts.machines[finding.target]
        step = script(machine, "reset-update-store", undo="restore-update-store", time_out=timedelta(minutes=20))
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"{finding.evidence['code']}: {finding.evidence['meaning']}. The script gives SoftwareDistribution and "
                "catroot2 another name, so that Windows Update builds both anew; nothing is deleted."
            ),
            steps=(step,),
            settle=settled(finding, facts, self.after_run),
            risk=f"The update history that {machine.name} shows begins anew; the old store stays beside the new one.",
        )
