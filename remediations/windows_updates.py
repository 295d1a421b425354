"""What the repairs of Windows Update inside a machine have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from model.documents import at, list_at
from model.facts import Facts, Machine, PowerState
from model.findings import Finding
from model.plans import AwaitedRun, Declined, RunScript
from model.times import parse_time
from remediations.advice import listed, texts
from remediations.protocol import declined

RUN_COMMAND: Final = frozenset(
    {
        "Microsoft.Compute/virtualMachines/runCommands/write",
        "Microsoft.Compute/virtualMachines/runCommands/delete",
    }
)
"""The rights that a script on a machine needs."""


def unfit(finding: Finding, facts: Facts) -> str | None:
    """Why no script can be sent to the machine, or None where one can."""
    machine = facts.machines.get(finding.target)
    if gap := facts.missing(finding.target):
        return f"its state could not be read: {gap.what}"
    if machine is None or machine.is_arc or machine.os.lower() != "windows":
        return "Patchwright sends scripts to Windows VMs of Azure in its own subscriptions only"
    if machine.power is not PowerState.RUNNING:
        return f"it is {machine.power.value}, and Run Command needs it running"
    document = facts.documents.get(machine.id)
    if document is None:
        return "the VM does not exist any more"
    statuses = list_at(document, "properties.instanceView.vmAgent.statuses")
    if not any(isinstance(s, dict) and str(s.get("code")).lower() == "provisioningstate/succeeded" for s in statuses):
        return "its guest agent is not ready, and Run Command needs it"
    return None


def of_a_domain(finding: Finding) -> str:
    """Why a policy is not set on the machine itself, where a diagnosis says that it belongs to a domain; else empty."""
    joined = finding.evidence.get("domain") == "joined"
    return "it belongs to a domain, whose group policy would write the values anew" if joined else ""


def on_the_machine(finding: Finding, facts: Facts) -> frozenset[str]:
    """The machine's own document, which says whether its guest agent is ready; nothing for one that is not a VM."""
    machine = facts.machines.get(finding.target)
    return frozenset() if machine is None or machine.is_arc else frozenset({machine.id})


def script(
    machine: Machine,
    name: str,
    *,
    parameters: dict[str, str] | None = None,
    undo: str | None = None,
    time_out: timedelta = timedelta(minutes=10),
) -> RunScript:
    """One of the scripts for Windows on a machine; with an undo it is told under which name to keep its record."""
    step = hashlib.sha256(f"{name}:{machine.id}".encode()).hexdigest()[:16]
    return RunScript(
        machine=machine.arm_id,
        location=machine.location,
        script=f"windows/{name}.ps1",
        # The same for the same machine, so that a repeat finds the record of what was before.
        parameters={**({"StepId": step} if undo else {}), **(parameters or {})},
        undo_script=f"windows/{undo}.ps1" if undo else None,
        time_out=time_out,
    )


def deployments_of(finding: Finding, facts: Facts) -> frozenset[str]:
    """Deployments that name the machine, and those in whose runs it was seen."""
    seen = {name.lower() for name in texts(finding.evidence.get("deployments"))}
    return frozenset(
        d.id for d in facts.deployments.values() if finding.target in d.azure_machines or d.name.lower() in seen
    )


def next_run_of(deployments: Iterable[str], facts: Facts, shown: timedelta) -> tuple[AwaitedRun, ...]:
    """The run of the deployment that runs again first, as far as their documents tell; empty where none does."""
    runs = [
        AwaitedRun(deployment=id_, begins=begins, shown=shown)
        for id_ in sorted(deployments)
        if (begins := parse_time(at(facts.documents.get(id_, {}), "properties.scheduleInfo.nextRun")))
        and begins > facts.now
    ]
    return tuple(sorted(runs, key=lambda run: run.begins)[:1])


def advised(finding: Finding, facts: Facts, remediation: str) -> Declined:
    """What a person has to do about an error of the update agent: this code, these machines, this server."""
    evidence = finding.evidence
    action = str(evidence.get("action"))
    machines = texts(evidence.get("machines"))
    those = listed(target.rsplit("/", 1)[-1].removeprefix("name:") for target in machines) if machines else finding.name
    server = str(evidence.get("server") or "")
    source = server or "*.update.microsoft.com and download.windowsupdate.com"
    code = str(evidence.get("code") or "an error without a code")
    name = f" ({evidence['name']})" if evidence.get("name") else ""
    why = unfit(finding, facts) if action != "advise" and not machines else None
    reason = f"{code}{name} needs a person: {why or evidence.get('meaning')}"
    if action == "rescan" and evidence.get("phase") == "install" and why is None and not machines:
        reason = f"{code}{name}: {evidence.get('meaning')}. Its next run tries again; where it fails again, a person"
        reason += " has to look"
    count = evidence.get("machineCount") or evidence.get("machinesWithThisCode")
    steps = [f"Machines with {code}: {count}. This is about {those}."]
    steps += [
        step.replace("{machines}", those).replace("{source}", source).replace("{code}", code)
        for step in texts(evidence.get("advice"))
    ]
    if updates := texts(evidence.get("updates")):
        kbs = listed(f"KB{kb.upper().removeprefix('KB')}" for kb in updates)
        steps.append(f"To see whether it is the deployment, install {kbs} on {those} by hand.")
    return declined(finding, remediation, reason, *steps)
