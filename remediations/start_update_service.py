"""Let the service Windows Update run again on a machine where it is disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.windows_updates import (
    RUN_COMMAND,
    advised,
    deployments_of,
    next_run_of,
    on_the_machine,
    script,
    unfit,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUpdateService:
    """Set the service Windows Update to Manual and start it.

    Effect: the start type of wuauserv changes after it was recorded; the service and HealthService start.
    Declined: the code is another one; the machine is not a running Windows VM with a ready guest agent. On the machine:
    a policy forbids Windows Update, or somebody has disabled the service again twice.
    Risk: whoever disabled the service had a reason; ask before switching this on.
    Verified: the newest assessment, or the next run where the error was one of an installation, has no error.
    Undo: the recorded start type is set again.
    """

    id: ClassVar[str] = "start-update-service"
    fixes: ClassVar[FailureState] = FailureState.UPDATE_AGENT_ERROR
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()
    after_run: timedelta = timedelta(hours=7)
    """From the start of a run until it is over: the longest window, and what the logs lag behind."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts) | deployments_of(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if finding.evidence.get("action") != self.id or unfit(finding, facts):
            return advised(finding, facts, self.id)
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"{finding.evidence['code']}: {finding.evidence['meaning']}. The script sets the service Windows "
                "Update to Manual, as Windows delivers it, and starts it."
            ),
            steps=(script(machine, "start-update-service", undo="restore-update-service"),),
            settle=settled(finding, facts, self.after_run),
            risk=f"Somebody disabled the service on {machine.name}; find out who, or it will be disabled again.",
        )


def settled(finding: Finding, facts: Facts, after_run: timedelta) -> Settle:
    """When to look: after the assessment that follows, or after the next run where a run met the error."""
    installs = finding.evidence.get("phase") == "install"
    runs = next_run_of(deployments_of(finding, facts), facts, after_run) if installs else ()
    why = "the next run shows whether it installs" if runs else "the agent assesses the machine anew after its restart"
    return Settle.after_runs(after=timedelta(hours=1), runs=runs, why=why)
