"""Name a moved VM where it is now, in the deployments that name it where it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.documents import Json, list_at, text_at
from model.facts import Facts, Machine, Reading
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment, Settle
from model.resource_ids import vm_ids
from model.runs import runs_again
from model.states import ActionClass, FailureState, Impact
from remediations.deployment_edits import Editable, editable
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceMovedMachine:
    """Put a VM's new resource id in place of its old one, in every deployment that names it and will run again.

    Effect: one PUT a deployment; everything else in the deployment stays. The schedule's start moves to its next run,
    because Azure takes no start in the past.
    Declined: what has the vmId now is no VM of Azure in the inventory; a next run is nearer than `margin`; a deployment
    is not settled.
    Risk: the VM is patched where it is now, in the windows that its old place had.
    Verified: no deployment that will run again names the VM where it was.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "replace-moved-machine"
    fixes: ClassVar[FailureState] = FailureState.VM_MOVED
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = frozenset(
        {
            "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations/write",
            # Azure checks this on every machine that the deployment names, although none of them is changed.
            "Microsoft.Compute/virtualMachines/write",
        }
    )
    reads: ClassVar[frozenset[Reading]] = frozenset()
    margin: timedelta = timedelta(minutes=15)
    """No edit when a next run is nearer: Azure wants ten minutes, and the edit has to settle."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset(d.id for d in facts.deployments.values() if finding.target in d.azure_machines)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        there = str(finding.evidence.get("movedTo"))
        by_hand = _by_hand(finding, facts, there)
        machine = facts.machines.get(there.lower())
        if machine is None or machine.is_arc or not _is_same(machine, finding):
            return declined(finding, self.id, f"{there} is no VM of Azure in the inventory with that vmId", *by_hand)
        edits: list[Editable] = []
        for deployment in sorted(self.needs(finding, facts)):
            document = facts.documents.get(deployment)
            gone = document is None and not facts.missing(deployment)
            if gone or (document is not None and runs_again(document, facts.now) is False):
                # It calls nobody any more, so there is nothing to mend in it.
                continue
            match editable(facts, deployment, self.margin):
                case str() as why:
                    return declined(finding, self.id, why, *by_hand)
                case Editable() as edit:
                    edits.append(edit)
        if not edits:
            return declined(finding, self.id, "no deployment that will run again names the VM where it was")
        names = ", ".join(text_at(edit.document, "name") for edit in edits)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{finding.name} was moved to {machine.arm_id}, and {names} calls it where it was.",
            steps=tuple(_step(edit, finding.target, machine.arm_id) for edit in edits),
            settle=Settle(after=timedelta(minutes=5), why="the deployments are listed without its old id"),
            risk=f"{names} will patch and restart {machine.name} where it is now, in the same windows as before.",
        )


def _is_same(machine: Machine, finding: Finding) -> bool:
    """By its own id, whichever of the two byte orders it was written in."""
    return bool(vm_ids(machine.vm_id) & vm_ids(str(finding.evidence.get("vmId") or "")))


def _step(edit: Editable, before: str, after: str) -> PutDeployment:
    """At its old place in the list; where the deployment names the new id already, the old one is only left out."""
    listed = list_at(edit.document, "properties.updateConfiguration.azureVirtualMachines")
    known = {str(vm).lower() for vm in listed}
    machines: list[Json] = []
    for vm in listed:
        if str(vm).lower() != before:
            machines.append(vm)
        elif after.lower() not in known:
            machines.append(after)
            known.add(after.lower())
    deployment = text_at(edit.document, "id")
    return PutDeployment(deployment=deployment, before=edit.document, after=edit.edited(azureVirtualMachines=machines))


def _by_hand(finding: Finding, facts: Facts, there: str) -> tuple[str, ...]:
    naming = ", ".join(sorted(d.name for d in facts.deployments.values() if finding.target in d.azure_machines))
    return (
        (
            f"In {naming or 'the deployment'}, remove {finding.target}, add {there}, and save, at least 15 minutes "
            "before the next run."
        ),
        "A dynamic group finds a VM wherever it is moved within its scope.",
    )
