"""Re-add a machine to the deployments that still call its old agent identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.documents import list_at, text_at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import AwaitedRun, Declined, Plan, PutDeployment, Settle, Step
from model.runs import runs_again
from model.states import ActionClass, FailureState, Impact
from remediations.deployment_edits import Editable, editable, has_other_targets
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaddMachine:
    """Take the machine out of every deployment that names it and put it back, so that its identity is looked up again.

    Effect: two PUTs a deployment, minutes apart; everything else in the deployment stays. The schedule's start moves to
    its next run, because Azure takes no start in the past.
    Declined: a next run is nearer than `margin`; taking the machine out would leave a deployment without a target; a
    deployment is not settled.
    Risk: between the two PUTs the machine is in no deployment; the second is therefore repeated until it holds.
    Verified: the next run of each deployment starts on the machine.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "readd-machine"
    fixes: ClassVar[FailureState] = FailureState.SOURCE_ID_CHANGED
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
    after_run: timedelta = timedelta(minutes=30)
    """How long after the start of the next run its machine runs are all there."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset(d.id for d in facts.deployments.values() if finding.target in d.azure_machines)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        machine, edits = finding.target, list[Editable]()
        for deployment in sorted(self.needs(finding, facts)):
            document = facts.documents.get(deployment)
            gone = document is None and not facts.missing(deployment)
            if gone or (document is not None and runs_again(document, facts.now) is False):
                # It calls nobody any more, so there is nothing to mend in it.
                continue
            match editable(facts, deployment, self.margin):
                case str() as why:
                    return declined(finding, self.id, why, *_by_hand(finding))
                case Editable() as edit:
                    edits.append(edit)
        if not edits:
            return declined(finding, self.id, "no deployment that will run again names the machine")
        for edit in edits:
            if not has_other_targets(edit.document, machine):
                name = text_at(edit.document, "name")
                why = f"{name} names only this machine, and a deployment without a target must not be saved"
                return declined(finding, self.id, why, *_by_hand(finding))
        steps: list[Step] = []
        for edit in edits:
            steps += self._steps(edit, machine)
        names = ", ".join(text_at(edit.document, "name") for edit in edits)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"Saving {names} without the machine and then with it makes Azure look its agent identity up again.",
            steps=tuple(steps),
            settle=Settle.after_runs(
                after=timedelta(minutes=5),
                runs=[
                    AwaitedRun(
                        deployment=text_at(edit.document, "id").lower(), begins=edit.next_run, shown=self.after_run
                    )
                    for edit in edits
                ],
                why="the next run shows whether the machine starts",
            ),
            risk="Between the two saves of a deployment the machine is not in it; the second repeats until it holds.",
        )

    def _steps(self, edit: Editable, machine: str) -> list[Step]:
        listed = list_at(edit.document, "properties.updateConfiguration.azureVirtualMachines")
        without = edit.edited(azureVirtualMachines=[vm for vm in listed if str(vm).lower() != machine])
        # Back at its old place in the list, so that the deployment ends as it was.
        again = edit.edited(azureVirtualMachines=list(listed))
        deployment = text_at(edit.document, "id")
        return [
            PutDeployment(deployment=deployment, before=edit.document, after=without),
            PutDeployment(deployment=deployment, before=without, after=again, restores=True),
        ]


def _by_hand(finding: Finding) -> tuple[str, ...]:
    names = finding.evidence.get("deployments")
    listed = ", ".join(str(name) for name in names) if isinstance(names, list) else "the deployment"
    return (
        f"Remove {finding.name} from {listed}, save, add it again, and save, at least 15 minutes before the next run.",
    )
