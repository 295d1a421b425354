"""Leave a Windows update that fails again and again out of a deployment, for a time."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from model.documents import Json, at, list_at, text_at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment
from model.states import ActionClass, FailureState, Impact
from model.words import kb_number
from remediations.advice import listed, texts
from remediations.deployment_edits import Editable, editable, noted
from remediations.linux_repairs import settle
from remediations.protocol import declined

_WINDOWS: Final = "properties.updateConfiguration.windows"
_KB: Final = re.compile(r"[0-9]{6,8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludeKb:
    """Add updates that failed in two runs and are needed still to the deployment's excluded KB numbers, with a note.

    Effect: one PUT; the updates are left out on every machine of the deployment. The schedule's description says since
    when and until when. The schedule's start moves to its next run, because Azure takes no start in the past.
    Declined: no update failed in two runs of one deployment, or more than `most` did, so that it is not theirs alone;
    the deployment names one of them as included; the next run is nearer than `margin`; the deployment is not settled.
    Risk: machines of the deployment go without these updates until somebody takes the numbers out again; a later
    cumulative update may bring the same failure under another number.
    Verified: the deployment leaves the updates out, and its next run does not fail on the machine.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "exclude-kb"
    fixes: ClassVar[FailureState] = FailureState.MACHINES_DONT_INSTALL
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = frozenset(
        {
            "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations/write",
            "Microsoft.Compute/virtualMachines/write",
        }
    )
    reads: ClassVar[frozenset[Reading]] = frozenset()
    margin: timedelta = timedelta(minutes=15)
    expires: timedelta = timedelta(days=30)
    """When somebody should look again; Azure has no exclusion that ends by itself."""
    most: int = 3
    """Where more fail, it is the machine's fault."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset(_repeated(finding))

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        repeated = _repeated(finding)
        if len(repeated) != 1:
            return declined(finding, self.id, "no update failed in two runs of one deployment, and of that one alone")
        ((deployment, kbs),) = repeated.items()
        if not 0 < len(kbs) <= self.most or not all(_KB.fullmatch(kb) for kb in kbs):
            why = f"{len(kbs)} updates failed again ({listed(kbs)}), and only {self.most} at most are left out"
            return declined(finding, self.id, why)
        match editable(facts, deployment, self.margin):
            case str() as why:
                return declined(finding, self.id, why)
            case Editable() as edit:
                pass
        name, windows = text_at(edit.document, "name"), at(edit.document, _WINDOWS)
        if not isinstance(windows, dict):
            return declined(finding, self.id, f"{name} says nothing of Windows updates")
        if wanted := kbs & {kb_number(str(kb)) for kb in list_at(edit.document, f"{_WINDOWS}.includedKbNumbers")}:
            return declined(finding, self.id, f"somebody wants {listed(sorted(wanted))} installed by {name}")
        excluded: list[Json] = list(list_at(edit.document, f"{_WINDOWS}.excludedKbNumbers"))
        new = sorted(kbs - {kb_number(str(kb)) for kb in excluded})
        if not new:
            return declined(finding, self.id, f"{name} leaves {listed(sorted(kbs))} out already")
        named, until = listed(f"KB{kb}" for kb in new), f"{facts.now + self.expires:%Y-%m-%d}"
        after = edit.edited(windows={**copy.deepcopy(windows), "excludedKbNumbers": [*excluded, *new]})
        noted(after, f"Patchwright left out {named} on {facts.now:%Y-%m-%d}; look again by {until}.")
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"{named} failed on {finding.name} in two runs of {name} and is needed still. Without it the next run "
                "can install the rest."
            ),
            steps=(PutDeployment(deployment=text_at(edit.document, "id"), before=edit.document, after=after),),
            settle=settle(facts.deployments.get(deployment)),
            risk=f"No machine of {name} gets {named} until it is taken out again, by {until}.",
        )


def _repeated(finding: Finding) -> dict[str, set[str]]:
    """By deployment: the numbers of the updates that failed in two of its runs."""
    told = finding.evidence.get("failedAgain")
    return {
        text_at(one, "deployment"): {kb_number(kb) for kb in texts(one.get("kbs"))}
        for one in (told if isinstance(told, list) else [])
        if isinstance(one, dict)
    }
