"""What every repair of a Linux machine after a failed run has in common: evidence first, then one script."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from model.documents import list_at
from model.facts import Deployment, Facts, Machine, PowerState
from model.findings import Finding
from model.plans import AwaitedRun, Declined, Plan, RunScript, Settle
from model.states import Impact
from remediations.protocol import declined

RUN_COMMANDS: Final = frozenset(
    {
        "Microsoft.Compute/virtualMachines/runCommands/write",
        "Microsoft.Compute/virtualMachines/runCommands/delete",
        "Microsoft.HybridCompute/machines/runCommands/write",
        "Microsoft.HybridCompute/machines/runCommands/delete",
    }
)
_LOCK: Final = timedelta(minutes=5)
"""How long a script waits for another package manager to end."""
_WORK: Final = timedelta(minutes=40)
"""How long packages may take to be configured on a slow disk."""
_WINDOW: Final = timedelta(hours=2)
"""Azure's own window, where a deployment says none."""
_RECORDED: Final = timedelta(minutes=30)
"""How long after a run its machine runs are all there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One script that mends one cause."""

    remediation: str
    impact: Impact
    reason: str
    risk: str
    undo_script: str | None = None
    evidence_last: bool = False
    """True where the disk is full: what the worker logged can be kept only once there is room."""


def plan_repair(repair: Repair, finding: Finding, facts: Facts) -> Plan | Declined:
    """Keep the worker's log, run the script, look again after the deployment's next run."""
    if finding.evidence.get("action") != repair.remediation:
        return declined(finding, repair.remediation, means(finding), *advice(finding))
    machine = facts.machines.get(finding.target)
    if machine is None:
        return declined(finding, repair.remediation, "the machine does not exist any more")
    if why := unfit(machine, facts):
        return declined(finding, repair.remediation, why, *advice(finding))
    deployment = facts.deployments.get(str(finding.evidence.get("deployment")))
    steps = [
        _script("linux/collect-worker-log.sh", finding, machine),
        _script(f"linux/{repair.remediation}.sh", finding, machine, repair.undo_script),
    ]
    return Plan(
        finding=finding,
        remediation=repair.remediation,
        impact=repair.impact,
        reason=f"{means(finding)}. {repair.reason}",
        steps=tuple(reversed(steps)) if repair.evidence_last else tuple(steps),
        settle=settle(deployment),
        risk=repair.risk,
    )


def _script(script: str, finding: Finding, machine: Machine, undo_script: str | None = None) -> RunScript:
    # The same for the same failure, so that a repeat does nothing again; another failed run makes another step.
    seed = f"{finding.key}:{finding.evidence.get('machineRuns')}"
    return RunScript(
        machine=machine.arm_id,
        location=machine.location,
        script=script,
        parameters={
            "StepId": hashlib.sha256(seed.encode()).hexdigest()[:16],
            "LockSeconds": str(int(_LOCK.total_seconds())),
        },
        undo_script=undo_script,
        time_out=_LOCK + _WORK,
    )


def settle(deployment: Deployment | None) -> Settle:
    """Only the next run tells whether a run succeeds."""
    runs: list[AwaitedRun] = []
    if deployment and deployment.next_run:
        shown = (deployment.duration or _WINDOW) + _RECORDED
        runs.append(AwaitedRun(deployment=deployment.id, begins=deployment.next_run, shown=shown))
    return Settle.after_runs(
        after=timedelta(minutes=5),
        runs=runs,
        why="the next run shows whether the machine is patched again",
    )


def unfit(machine: Machine, facts: Facts) -> str:
    """Why no script can be sent to the machine now; empty where one can."""
    if machine.power is not PowerState.RUNNING:
        return f"it is {machine.power.value}, and Run Command needs it running"
    if gap := facts.missing(machine.id):
        return f"the machine could not be read: {gap.what}"
    document = facts.documents.get(machine.id)
    if document is None:
        return "the machine does not exist any more"
    if not machine.is_arc:
        statuses = list_at(document, "properties.instanceView.vmAgent.statuses")
        codes = [str(status.get("code")).lower() for status in statuses if isinstance(status, dict)]
        if "provisioningstate/succeeded" not in codes:
            return "its guest agent is not ready, and Run Command needs it"
    return ""


def means(finding: Finding) -> str:
    """The cause in words, as the detector has it."""
    text = str(finding.evidence.get("means") or finding.reason)
    return text[:1].upper() + text[1:]


def advice(finding: Finding) -> tuple[str, ...]:
    """What a person has to do about the cause, and the words that told it."""
    line, steps = finding.evidence.get("line"), finding.evidence.get("advice")
    said = (f"It said: {line}",) if line else ()
    unread = finding.evidence.get("jobOutput")
    missing = (f"The output of the job {unread}; read it in the portal, under the run's machine.",) if unread else ()
    return (*said, *missing, *(str(step) for step in steps)) if isinstance(steps, list) else (*said, *missing)
