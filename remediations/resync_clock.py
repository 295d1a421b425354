"""Set a machine's clock by its own time service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RunScript, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.advice import where
from remediations.in_guest import RUN_COMMAND, step_id, unfit
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncClock:
    """Let the machine's time service set the clock at once, from the sources that it already has.

    Effect: `w32tm /resync` on Windows; `chronyc makestep`, or a restart of systemd-timesyncd, on Linux. No setting is
    changed; on Windows HealthService restarts where the clock moved by a minute or more.
    Declined: the machine is not a running virtual machine with a ready guest agent. The script itself refuses where no
    time service is there, or it is disabled.
    Risk: time jumps; what runs by the clock may run twice or not at all.
    Verified: no beat lies in the future, once those from before have become past.
    Undo: none; a clock that was wrong is not set wrong again.
    """

    id: ClassVar[str] = "resync-clock"
    fixes: ClassVar[FailureState] = FailureState.CLOCK_SKEW
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.DISRUPTIVE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := unfit(finding, facts):
            return declined(
                finding,
                self.id,
                why,
                f"On {where(finding, facts)}, set the clock from its time source (Windows: w32tm /resync /rediscover; "
                "Linux: chronyc makestep), then restart the monitoring agent.",
                "A member of a domain takes its time from the domain's controllers: check theirs as well.",
            )
        machine, ahead = facts.machines[finding.target], finding.evidence.get("aheadSeconds")
        linux = machine.os.lower() == "linux"
        # The beats that are stamped too late stay in the log until their time has come.
        wait = timedelta(seconds=ahead) if isinstance(ahead, int) and ahead > 0 else timedelta(days=1)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"The service refuses what is signed by a clock that is wrong: that of {machine.name} is ahead. The "
                "script has the machine's own time service set it now, from its own sources; no setting changes."
            ),
            steps=(
                RunScript(
                    machine=machine.arm_id,
                    location=machine.location,
                    script="linux/resync-clock.sh" if linux else "windows/resync-clock.ps1",
                    parameters={"StepId": step_id(finding, self.id)},
                ),
            ),
            settle=Settle(
                after=wait + timedelta(minutes=30), why="the beats that were stamped too late have become past"
            ),
            risk=f"Time on {machine.name} jumps; what runs there by the clock may run twice or not at all.",
        )
