"""What costs somebody something is not done unasked."""

from __future__ import annotations

from dataclasses import dataclass, field

from guardrails.protocol import Situation
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class OptedIn:
    """Holds a plan of an `optional` remediation that the operator has not `chosen`, unless a person applies it.

    The mode of a failure state says how far to go for the state; a state may have a repair that costs nothing beside
    one that costs downtime, money or a machine's identity. Who applies a saved plan has read which of them it is.
    """

    optional: frozenset[str] = field(default_factory=frozenset)
    """Ids of the remediations that are off until they are switched on."""
    chosen: frozenset[str] = field(default_factory=frozenset)
    """Ids of those that the operator has switched on."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if situation.by_person or plan.remediation not in self.optional - self.chosen:
            return None
        reason = f"{plan.remediation} is off until PATCHWRIGHT_OPT_IN names it, or a person applies the plan"
        return Hold(guardrail="opted-in", reason=reason)
