"""Take a deleted VM out of the deployments that name it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.documents import list_at, text_at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment, Settle
from model.runs import runs_again
from model.states import ActionClass, FailureState, Impact
from remediations.deployment_edits import Editable, editable, has_other_targets
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDeletedMachine:
    """Take the id of a VM that does not exist any more out of every deployment that names it and will run again.

    Effect: one PUT a deployment; everything else in the deployment stays. The schedule's start moves to its next run,
    because Azure takes no start in the past.
    Declined: the VM would leave a deployment without a target; a next run is nearer than `margin`; a deployment is not
    settled. Held for an hour after the finding's `since` by the guardrail `second-look`.
    Risk: should the VM come back under the same id, nobody patches it until it is added again.
    Verified: no deployment that will run again names the VM.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "remove-deleted-machine"
    fixes: ClassVar[FailureState] = FailureState.VM_DELETED
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
        edits: list[Editable] = []
        for deployment in sorted(self.needs(finding, facts)):
            document = facts.documents.get(deployment)
            gone = document is None and not facts.missing(deployment)
            if gone or (document is not None and runs_again(document, facts.now) is False):
                # It calls nobody any more, so there is nothing to mend in it.
                continue
            match editable(facts, deployment, self.margin):
                case str() as why:
                    return declined(finding, self.id, why, f"Take {finding.target} out of the deployment by hand.")
                case Editable() as edit:
                    edits.append(edit)
        if not edits:
            return declined(finding, self.id, "no deployment that will run again names the VM")
        if alone := [e for e in edits if not has_other_targets(e.document, finding.target)]:
            names = ", ".join(text_at(edit.document, "name") for edit in alone)
            return declined(
                finding,
                self.id,
                f"{names} names nothing else, and a deployment without a target must not be saved",
                *(f"Delete the deployment {text_at(e.document, 'name')}: it patches nothing any more." for e in alone),
            )
        names = ", ".join(text_at(edit.document, "name") for edit in edits)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{finding.name} does not exist any more, and every run of {names} fails for it.",
            steps=tuple(self._step(edit, finding.target) for edit in edits),
            settle=Settle(after=timedelta(minutes=5), why="the deployments are listed without the VM"),
            risk=f"{names} will not patch {finding.name} any more, should it come back under the same id.",
        )

    def _step(self, edit: Editable, machine: str) -> PutDeployment:
        listed = list_at(edit.document, "properties.updateConfiguration.azureVirtualMachines")
        after = edit.edited(azureVirtualMachines=[vm for vm in listed if str(vm).lower() != machine])
        return PutDeployment(deployment=text_at(edit.document, "id"), before=edit.document, after=after)
