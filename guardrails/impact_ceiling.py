"""What people would notice is not done without one of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from guardrails.protocol import Situation
from model.plans import Hold, Plan
from model.states import Impact

_ORDER = tuple(Impact)
"""From harmless to noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactCeiling:
    """Holds a plan of more impact than `most`, unless a person applies it or the operator has `chosen` its remediation.

    A mode says how far a state goes and cannot tell its gentle repair from the one that stops something.
    """

    most: Impact
    chosen: frozenset[str] = field(default_factory=frozenset)
    """Ids of the remediations that `PATCHWRIGHT_OPT_IN` names."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if _ORDER.index(plan.impact) <= _ORDER.index(self.most):
            return None
        if situation.by_person or plan.remediation in self.chosen:
            return None
        reason = (
            f"{plan.remediation} is {plan.impact.value}, and of their own accord sweeps do what is {self.most.value} "
            "at most (PATCHWRIGHT_MAX_IMPACT)"
        )
        return Hold(guardrail="impact-ceiling", reason=reason)
