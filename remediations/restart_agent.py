"""Restart the Log Analytics agent: of a machine that is silent, and of one that is not assessed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RunScript, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.advice import RETIRED
from remediations.enable_agent import hopeless, to_enable
from remediations.in_guest import RUN_COMMAND, step_id, unfit
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restart(ABC):
    """What both have in common."""

    id: ClassVar[str]
    fixes: ClassVar[FailureState]
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()
    why: ClassVar[str]

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := hopeless(finding) or unfit(finding, facts):
            return declined(finding, self.id, why, *_by_hand(finding, facts))
        machine = facts.machines[finding.target]
        windows = machine.os.lower() == "windows"
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"{self.why}; restarting the agent is the first thing to try, and costs {machine.name} nothing. Only "
                f"{'HealthService' if windows else 'omsagent'} restarts; one that somebody disabled is left alone."
            ),
            steps=(
                RunScript(
                    machine=machine.arm_id,
                    location=machine.location,
                    script="windows/restart-agent.ps1" if windows else "linux/restart-agent.sh",
                    parameters={"StepId": step_id(finding, self.id)},
                ),
            ),
            settle=self._settle(windows=windows),
            risk="What the agent would have collected in the minute of its restart is missing from the logs.",
        )

    @abstractmethod
    def _settle(self, *, windows: bool) -> Settle:
        """When the restart can show."""


class RestartSilentAgent(_Restart):
    """Restart the agent of a machine that runs and does not beat; start it where it is stopped.

    Effect: `HealthService` on Windows, `omsagent` on Linux, restarts; nothing else on the machine is touched, its start
    type and its configuration among that. Monitoring is without data for a minute.
    Declined: it is not a running VM of Azure with a ready guest agent; a look inside, or the script on the machine,
    finds the agent not installed, or its service disabled, which somebody wanted.
    Risk: what would have been collected meanwhile is missing from the logs.
    Verified: the machine beats again.
    Undo: none is needed: the agent runs as it did.
    """

    id: ClassVar[str] = "restart-silent-agent"
    fixes: ClassVar[FailureState] = FailureState.NO_HEARTBEAT
    why: ClassVar[str] = "The machine runs and its agent is silent"

    def _settle(self, *, windows: bool) -> Settle:
        return Settle(after=timedelta(minutes=10), why="an agent that runs beats once a minute")


class RestartAgentToAssess(_Restart):
    """Restart the agent of a machine that beats and is not assessed: a scan begins within 15 minutes of the restart.

    Effect: `HealthService` on Windows, `omsagent` on Linux, restarts; nothing else on the machine is touched.
    Monitoring is without data for a minute.
    Declined: it is not a running VM of Azure with a ready guest agent. On the machine: the agent is not installed, or
    its service is disabled, which somebody wanted.
    Risk: what would have been collected meanwhile is missing from the logs.
    Verified: an assessment came, within an hour on Windows and six on Linux.
    Undo: none is needed: the agent runs as it did.
    """

    id: ClassVar[str] = "restart-agent-to-assess"
    fixes: ClassVar[FailureState] = FailureState.NOT_ASSESSED
    why: ClassVar[str] = "The agent assesses the machine within 15 minutes of its start"

    def _settle(self, *, windows: bool) -> Settle:
        if windows:
            return Settle(after=timedelta(hours=1), why="the scan and its way into the logs take up to an hour")
        return Settle(after=timedelta(hours=6), why="a first assessment of Linux takes up to six hours")


def _by_hand(finding: Finding, facts: Facts) -> tuple[str, ...]:
    machine = facts.machines.get(finding.target)
    if hopeless(finding):
        return (*to_enable(finding), RETIRED)
    if machine is not None and machine.os.lower() == "linux":
        restart = f"On {finding.name}, as root: /opt/microsoft/omsagent/bin/service_control restart"
    else:
        restart = f"On {finding.name}, as an administrator: Restart-Service -Name HealthService"
    return (restart, RETIRED)
