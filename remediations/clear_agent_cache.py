"""Let the agent of a silent machine build its cache anew, and what is left to a person after that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RunScript, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.advice import RETIRED, AdviceOnly, where
from remediations.enable_agent import hopeless
from remediations.in_guest import RUN_COMMAND, step_id, unfit
from remediations.protocol import declined

_KEY = r"HKLM\SOFTWARE\Microsoft\HybridRunbookWorker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearAgentCache:
    """Rename the cache of a silent agent, so that it builds it anew: where a restart of the agent did not help.

    Effect: HealthService stops; `Health Service State` in the agent's folder gets another name; HealthService starts.
    Nothing is deleted. Once a day at most. Monitoring is without data for some minutes.
    Declined: it is not a running Windows VM of Azure with a ready guest agent; a look inside, or the script on the
    machine, finds the agent not installed, or its service disabled, which somebody wanted. On the machine: there is no
    cache.
    Risk: an agent that an Operations Manager manages loads all its management packs again.
    Verified: the machine beats again.
    Undo: the folder gets its name back; what the agent built since is renamed in its turn.
    """

    id: ClassVar[str] = "clear-agent-cache"
    fixes: ClassVar[FailureState] = FailureState.NO_HEARTBEAT
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := hopeless(finding) or unfit(finding, facts, os="Windows"):
            return declined(finding, self.id, why)
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason="The machine runs and its agent is silent: a damaged cache keeps an agent from beating.",
            steps=(
                RunScript(
                    machine=machine.arm_id,
                    location=machine.location,
                    script="windows/clear-agent-cache.ps1",
                    parameters={"StepId": step_id(finding, self.id)},
                    undo_script="windows/restore-agent-cache.ps1",
                ),
            ),
            settle=Settle(after=timedelta(minutes=15), why="an agent that builds its cache anew beats after minutes"),
            risk=f"Where an Operations Manager manages {machine.name}, its management packs are loaded again.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseSilentAgent(AdviceOnly):
    """Say how the worker of a silent machine is registered anew, once nothing gentler has helped.

    Effect: none. The machine loses its identity by it, and every deployment that names it has to name it again.
    """

    id: ClassVar[str] = "advise-silent-agent"
    fixes: ClassVar[FailureState] = FailureState.NO_HEARTBEAT

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        machine = facts.machines.get(finding.target)
        place = where(finding, facts)
        if machine is not None and machine.os.lower() == "linux":
            again = (
                f"On {place}, look at /var/opt/microsoft/omsagent/run/automationworker/worker.log and whether "
                "/etc/opt/microsoft/omsagent/conf/omsadmin.conf names this workspace; then onboard it anew."
            )
        else:
            again = (
                f"On {place}: reg export {_KEY} C:\\HybridRunbookWorker.reg /y, remove the key {_KEY} unless it has a "
                "value RunbookWorkerGroup, and Restart-Service HealthService: the worker registers anew."
            )
        return (
            "neither a restart nor a new cache of the agent is left to try",
            again,
            f"Then take {finding.name} out of every deployment that names it and put it back: its identity is new.",
            RETIRED,
        )
