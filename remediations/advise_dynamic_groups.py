"""Advice on machines that dynamic queries select in vain, each with its own cause: nothing here is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.documents import list_at, text_at
from model.facts import Facts
from model.findings import Finding
from model.states import FailureState
from remediations.advice import RETIRED, AdviceOnly, where

_DEEDS: Final = {
    "provider": "Register Microsoft.Automation in the subscription of {names} (az provider register); the state "
    "automation-rp-not-registered does it.",
    "off": "Have {names} running when {deployment} starts: move the schedule, or start them by a pre-script.",
    "tags": "Find out what changes the tags of {names}: they did not fit when the run started. The change history "
    "of each VM in the portal names who did it.",
    "permission": "Let somebody who may write {names} (Microsoft.Compute/virtualMachines/write) save {deployment} "
    "again; the preview lists only machines that whoever looks may write.",
    "no-agent": "Onboard {names} to Update Management, or let the queries of {deployment} select machines that are.",
    "no-worker": "Restart HealthService (Windows) or run /opt/microsoft/omsagent/bin/service_control restart (Linux) "
    "on {names}, and see whether a system hybrid worker group appears within 15 minutes; else it has to register "
    "again.",
}
"""What is to be done about each cause."""


def _steps(finding: Finding, facts: Facts) -> tuple[str, ...]:
    machines = [one for one in list_at(dict(finding.evidence), "machines") if isinstance(one, dict)]
    steps = [f"{text_at(one, 'name')} ({text_at(one, 'machine')}): {text_at(one, 'detail')}." for one in machines]
    count = finding.evidence.get("machineCount")
    if isinstance(count, int) and count > len(machines):
        steps.append(f"And {count - len(machines)} more that are not listed here.")
    for cause, deed in _DEEDS.items():
        if names := [text_at(one, "name") for one in machines if text_at(one, "cause") == cause]:
            steps.append(deed.format(names=", ".join(names), deployment=where(finding, facts)))
            if cause == "no-agent":
                steps.append(RETIRED)
    return tuple(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseScheduleMissedMachines(AdviceOnly):
    """Say of each machine why the run did not call it, and what lets the next one do so.

    Effect: none. Tags, rights and queries are their owners'; what was missed is caught up by the next run, or by a
    deployment that somebody starts.
    """

    id: ClassVar[str] = "advise-schedule-missed-machines"
    fixes: ClassVar[FailureState] = FailureState.SCHEDULE_MISSED_MACHINES

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        deployment = facts.deployments.get(finding.target)
        following = f" at {deployment.next_run:%Y-%m-%d %H:%M} UTC" if deployment and deployment.next_run else ""
        return (
            "who is called is decided when the run starts, and the causes are outside of it",
            *_steps(finding, facts),
            f"To patch them before the next run{following}, give them a deployment that runs once.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseNotInDynamicGroupPreview(AdviceOnly):
    """Say of each machine what keeps it from having a worker.

    Effect: none. To bring a machine under management, or to leave it out of a query, is its owner's decision.
    """

    id: ClassVar[str] = "advise-not-in-dynamic-group-preview"
    fixes: ClassVar[FailureState] = FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        return ("only a machine with a system hybrid worker can be called", *_steps(finding, facts))
