"""One run touches a handful of machines, however many are broken."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from guardrails.reach import machines
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """Holds a plan that would take a run beyond `machines`; a deployment counts as the machines that it names."""

    machines: int

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        reached = machines(plan, situation.facts)
        if reached and len(situation.touched | reached) > self.machines:
            already = len(situation.touched)
            return Hold(
                guardrail="blast-radius",
                reason=f"a run touches at most {self.machines} machines; it has {already}, this would add "
                f"{len(reached - situation.touched)}",
            )
        return None
