"""Leave a package that fails again and again out of a deployment, for a time."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from model.documents import at, list_at, text_at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment
from model.states import ActionClass, FailureState, Impact
from remediations.deployment_edits import Editable, editable, noted
from remediations.linux_repairs import advice, means, settle
from remediations.protocol import declined

_LINUX: Final = "properties.updateConfiguration.linux"
_MASK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:-]{0,127}", re.ASCII)
"""A package's name; a mask with a wildcard would leave out more than failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludePackage:
    """Add the package to the deployment's excluded packages, with a note of when to look again.

    Effect: one PUT; the package is left out on every machine of the deployment. The schedule's description says since
    when and until when. The schedule's start moves to its next run, because Azure takes no start in the past.
    Declined: another cause; the package is left out already; the next run is nearer than `margin`; the deployment is
    not settled.
    Risk: machines of the deployment go without updates of the package until somebody takes the mask out again.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "exclude-package"
    fixes: ClassVar[FailureState] = FailureState.LINUX_RUN_FAILED
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

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset({str(finding.evidence.get("deployment"))}) if _is_mine(finding) else frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if not _is_mine(finding):
            return declined(finding, self.id, means(finding), *advice(finding))
        listed = finding.evidence.get("packages")
        packages = [str(name) for name in listed] if isinstance(listed, list) else []
        if not packages or not all(_MASK.fullmatch(name) for name in packages):
            return declined(finding, self.id, "no package's name is known well enough to leave it out")
        match editable(facts, str(finding.evidence.get("deployment")), self.margin):
            case str() as why:
                return declined(finding, self.id, why, *advice(finding))
            case Editable() as edit:
                pass
        name = text_at(edit.document, "name")
        linux = at(edit.document, _LINUX)
        if not isinstance(linux, dict):
            return declined(finding, self.id, f"{name} says nothing of Linux packages", *advice(finding))
        masks = [str(mask) for mask in list_at(edit.document, f"{_LINUX}.excludedPackageNameMasks")]
        new = [p for p in packages if not any(fnmatchcase(p.lower(), mask.lower()) for mask in masks)]
        if not new:
            why = f"{name} leaves {', '.join(packages)} out already, and the run failed all the same"
            return declined(finding, self.id, why, *advice(finding))
        until = f"{facts.now + self.expires:%Y-%m-%d}"
        after = edit.edited(linux={**copy.deepcopy(linux), "excludedPackageNameMasks": [*masks, *new]})
        noted(after, f"Patchwright left out {', '.join(new)} on {facts.now:%Y-%m-%d}; look again by {until}.")
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{means(finding)}. Without {', '.join(new)} the next run can install the rest.",
            steps=(PutDeployment(deployment=text_at(edit.document, "id"), before=edit.document, after=after),),
            settle=settle(facts.deployments.get(str(finding.evidence.get("deployment")))),
            risk=f"No machine of {name} gets updates of {', '.join(new)} until it is taken out again, by {until}.",
        )


def _is_mine(finding: Finding) -> bool:
    return finding.evidence.get("action") == ExcludePackage.id
