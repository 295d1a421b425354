"""What was treated a short while ago is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from guardrails.protocol import Situation
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """Holds a plan for what another run has in treatment, and a remediation that was tried there within `length`.

    In treatment is what a run works on or has not verified yet. A run's own next try has no cool-down: a person asks
    for it, and `attempts` counts it.
    """

    length: timedelta

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        name = plan.finding.name
        if other := situation.in_treatment_by:
            reason = f"{name} is in treatment by run {other}, which has not verified it yet"
            return Hold(guardrail="cool-down", reason=reason, until=situation.in_treatment_until)
        others = [tried.at for tried in situation.attempts if tried.run != situation.run]
        if others and situation.now < (ends := max(others) + self.length):
            reason = f"{plan.remediation} was tried on {name} by another run a short while ago"
            return Hold(guardrail="cool-down", reason=reason, until=ends)
        return None
