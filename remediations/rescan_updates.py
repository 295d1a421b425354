"""Let a machine look for updates again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.windows_updates import RUN_COMMAND, advised, on_the_machine, script, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanUpdates:
    """Restart the service Windows Update and scan again: many errors of a scan pass by themselves.

    Effect: wuauserv and HealthService restart, the machine looks for updates and is assessed anew; no setting changes.
    Declined: the code does not pass by itself; the error is one of an installation, which the next run tries again; the
    trouble is its WSUS server's; the machine is not a running Windows VM with a ready guest agent.
    Risk: none; a scan loads the update server once more.
    Verified: the newest assessment has no error.
    Undo: none is needed.
    """

    id: ClassVar[str] = "rescan-updates"
    fixes: ClassVar[FailureState] = FailureState.UPDATE_AGENT_ERROR
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = Impact.READ_ONLY
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        mine = finding.evidence.get("action") == "rescan" and finding.evidence.get("phase") == "scan"
        if not mine or unfit(finding, facts):
            return advised(finding, facts, self.id)
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"{finding.evidence['code']} can pass: {finding.evidence['meaning']}. A new scan tells. The services "
                "Windows Update and HealthService restart; no setting changes."
            ),
            # A first scan of a large catalogue takes its time.
            steps=(script(machine, "rescan-updates", time_out=timedelta(minutes=30)),),
            settle=Settle(after=timedelta(hours=1), why="the agent assesses the machine anew after its restart"),
        )
