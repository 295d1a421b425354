"""What a remediation is: it plans the repair of one failure state, and never applies anything."""

from __future__ import annotations

from typing import ClassVar, Protocol

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Advice, Declined, Plan
from model.states import ActionClass, FailureState, Impact


class Remediation(Protocol):
    """Plans from a finding and the facts; pure."""

    id: ClassVar[str]
    fixes: ClassVar[FailureState]
    action_class: ClassVar[ActionClass]
    impact: ClassVar[Impact]
    permissions: ClassVar[frozenset[str]]
    """The Azure actions that its steps need, beyond reading; the writer's role is made from these."""
    reads: ClassVar[frozenset[Reading]]
    """What `plan` needs beyond the readings of the detector."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        """Lower-case resource ids whose full document `plan` wants."""
        ...

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        """The steps, or why there is no safe plan and what a person has to do instead."""
        ...


def declined(finding: Finding, remediation: str, reason: str, *steps: str) -> Declined:
    """No safe plan: `reason` says why, `steps` what a person has to do."""
    return Declined(
        finding=finding,
        remediation=remediation,
        reason=reason,
        advice=Advice(finding=finding, summary=f"{finding.name}: {reason}", steps=steps),
    )
