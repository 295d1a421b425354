"""Let a deployment of CentOS machines install packages of every classification."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from model.documents import at, text_at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.deployment_edits import Editable, editable
from remediations.protocol import declined

_LINUX: Final = "properties.updateConfiguration.linux"
_ALL: Final = ("Critical", "Security", "Other")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludeAllClassifications:
    """Select Critical, Security and Other in a deployment all of whose machines have CentOS.

    Effect: one PUT; later runs install every pending package. The schedule's start moves to its next run, because Azure
    takes no start in the past.
    Declined: the deployment also patches machines that can tell classifications apart, or may by a dynamic query; the
    machines are of the US Government or China clouds; the next run is nearer than `margin`; it is not settled.
    Risk: many more packages are installed than before. CentOS itself gets no updates any more.
    Verified: the deployment includes all three.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "include-all-classifications"
    fixes: ClassVar[FailureState] = FailureState.LINUX_CLASSIFICATION_CAVEAT
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

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        by_hand = _by_hand(finding)
        evidence = finding.evidence
        if not evidence.get("centos"):
            why = (
                "its machines are in a cloud that has no classifications of Linux packages, which a person should know"
            )
            return declined(finding, self.id, why, *by_hand)
        if evidence.get("others") or evidence.get("dynamic") or evidence.get("machines") != evidence.get("centos"):
            why = "it also patches machines that are not known to have CentOS, and selects rightly for them"
            return declined(finding, self.id, why, *by_hand)
        match editable(facts, finding.target, self.margin):
            case str() as why:
                return declined(finding, self.id, why, *by_hand)
            case Editable() as edit:
                pass
        linux = at(edit.document, _LINUX)
        if not isinstance(linux, dict):
            return declined(finding, self.id, "it says nothing of Linux packages", *by_hand)
        has = [word.strip() for word in text_at(linux, "includedPackageClassifications").split(",") if word.strip()]
        lower = {word.lower() for word in has}
        words = ", ".join([*has, *(word for word in _ALL if word.lower() not in lower)])
        after = edit.edited(linux={**copy.deepcopy(linux), "includedPackageClassifications": words})
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason="CentOS has no classifications, so that only selecting all of them selects its updates.",
            steps=(PutDeployment(deployment=text_at(edit.document, "id"), before=edit.document, after=after),),
            settle=Settle(after=timedelta(minutes=5), why="the deployment includes all classifications"),
            risk="Later runs install every pending package. CentOS has reached its end of life: plan to leave it.",
        )


def _by_hand(finding: Finding) -> tuple[str, ...]:
    machines = finding.evidence.get("machines")
    listed = [str(name) for name in machines] if isinstance(machines, list) else []
    count = finding.evidence.get("machineCount")
    names = ", ".join(listed[:10]) + (f" and {count - 10} more" if isinstance(count, int) and count > 10 else "")
    steps = [
        f"Give {names} a deployment of their own that selects Critical, Security and Other.",
        f"What they lack now: on each of {names}, sudo yum check-update.",
    ]
    if finding.evidence.get("centos"):
        steps.append("CentOS has reached its end of life: no selection brings updates that are not made any more.")
    return tuple(steps)
