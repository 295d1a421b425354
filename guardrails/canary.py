"""A repair that failed on the first machine is not tried on the next."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Holds the plans of a remediation that failed in this attempt at a run and never once went through in the run."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if plan.remediation not in situation.failed_first:
            return None
        reason = f"{plan.remediation} failed on the first target of this run; look at that one before the others"
        return Hold(guardrail="canary", reason=reason)
