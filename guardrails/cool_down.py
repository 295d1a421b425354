"""What was treated a short while ago is left alone."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """Holds a plan for a target that another run treated within the cool-down, or treats now."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if plan.finding.key in situation.treated_lately:
            return Hold(
                guardrail="cool-down", reason=f"{plan.finding.name} was treated by another run a short while ago"
            )
        return None
