"""Of a set in which each repair changes the others' case, one is treated at a time."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOfASet:
    """Holds a plan while another run treats one of the same set: clones that share an identity, say.

    Within a run, two of a set are never in the same wave, and each wave looks again first.
    """

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if plan.group and situation.group_in_treatment_by:
            reason = f"run {situation.group_in_treatment_by} is treating another of {plan.group}"
            return Hold(guardrail="one-of-a-set", reason=reason)
        return None
