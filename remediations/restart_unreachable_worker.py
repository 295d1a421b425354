"""Restart the agent of a machine that runs while its hybrid worker does not answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.restart_agent import RestartSilentAgent


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartUnreachableWorker:
    """Restart the agent, which starts the machine's hybrid worker.

    Effect: as `restart-silent-agent`, whose scripts it shares; nothing else on the machine is touched.
    Declined: it is not a running VM of Azure with a ready guest agent; a person gets the commands for its system, the
    log to read and the endpoints that it must reach.
    Risk: what would have been collected meanwhile is missing from the logs.
    Verified: the worker was seen within the hour.
    Undo: none is needed: the agent runs as it did.
    """

    id: ClassVar[str] = "restart-unreachable-worker"
    fixes: ClassVar[FailureState] = FailureState.WORKER_UNREACHABLE
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = RestartSilentAgent.impact
    permissions: ClassVar[frozenset[str]] = RestartSilentAgent.permissions
    reads: ClassVar[frozenset[Reading]] = RestartSilentAgent.reads
    restart: ClassVar[RestartSilentAgent] = RestartSilentAgent()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return self.restart.needs(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        match self.restart.plan(finding, facts):
            case Declined() as no:
                advice = replace(no.advice, steps=(*no.advice.steps, *_further(finding, facts)))
                return replace(no, remediation=self.id, advice=advice)
            case Plan() as plan:
                return replace(
                    plan,
                    remediation=self.id,
                    reason=f"{finding.name} runs and its worker does not answer; the worker starts with the agent.",
                    settle=Settle(after=timedelta(minutes=15), why="a worker that runs is seen within minutes"),
                )


def _further(finding: Finding, facts: Facts) -> tuple[str, ...]:
    machine = facts.machines.get(finding.target)
    if machine and machine.os == "Linux":
        log = "If it stays silent, read /var/opt/microsoft/omsagent/run/automationworker/worker.log."
    else:
        log = "If it stays silent, look for event 4502 in the event log `Operations Manager`."
    network = (
        f"{finding.name} must reach {facts.workspace_guid or '<workspace id>'}.agentsvc.azure-automation.net and "
        "*.azure-automation.net on port 443; in a network security group that is the tag GuestAndHybridManagement."
    )
    return log, network
