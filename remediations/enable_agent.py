"""Let the agent of a silent machine run again where its service is disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RunScript, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.in_guest import RUN_COMMAND, step_id, unfit
from remediations.protocol import declined

DISABLED: Final = "disabled"
"""What a look inside says of a service that does not run because somebody disabled it."""


def hopeless(finding: Finding) -> str | None:
    """Why a restart cannot help, by what was seen inside; None where it may, or nobody has looked."""
    match finding.evidence.get("agentService"):
        case "disabled":
            return "its service HealthService is disabled, which somebody wanted"
        case "missing":
            return "its agent is not installed any more"
        case _:
            return None


def to_enable(finding: Finding) -> tuple[str, ...]:
    """How a person enables the agent; nothing where it is not there to be enabled."""
    if finding.evidence.get("agentService") != DISABLED:
        return ()
    return (
        (
            f"On {finding.name}, as an administrator: Set-Service -Name HealthService -StartupType Automatic; "
            "Start-Service -Name HealthService. Ask first who disabled it, and why."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableAgent:
    """Set the disabled service of a silent machine's agent to Automatic and start it.

    Effect: the start type of HealthService changes after it was recorded; the service starts.
    Declined: no look inside has found the service disabled; the machine is not a running Windows VM of Azure with a
    ready guest agent. On the machine: the service is not disabled; somebody has disabled it again twice.
    Risk: whoever disabled the service had a reason, such as a migration to the newer agent; ask before switching
    this on.
    Verified: the machine beats again.
    Undo: the recorded start type is set again, and the service stops where it had stopped.
    """

    id: ClassVar[str] = "enable-agent"
    fixes: ClassVar[FailureState] = FailureState.NO_HEARTBEAT
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if finding.evidence.get("agentService") != DISABLED:
            return declined(finding, self.id, "no look inside has found its service HealthService disabled")
        if why := unfit(finding, facts, os="Windows"):
            return declined(finding, self.id, why, *to_enable(finding))
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                "The machine runs and its agent is silent, because its service is disabled. The script sets "
                "HealthService to Automatic, as the agent's installer does, and starts it."
            ),
            steps=(
                RunScript(
                    machine=machine.arm_id,
                    location=machine.location,
                    script="windows/enable-agent.ps1",
                    parameters={"StepId": step_id(finding, self.id)},
                    undo_script="windows/restore-agent-service.ps1",
                ),
            ),
            settle=Settle(after=timedelta(minutes=10), why="an agent that runs beats once a minute"),
            risk=f"Somebody disabled the agent of {machine.name}; find out who, or it will be disabled again.",
        )
