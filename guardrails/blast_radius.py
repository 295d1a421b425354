"""One run touches a handful of machines, however many are broken."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.facts import Facts
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """Holds a plan that would take a run beyond `machines`, or beyond `percent` of the machines in scope.

    The smaller of the two counts, rounded down, but one machine may always be treated unless either is zero. A
    deployment counts as the machines that it names and all that its dynamic queries may select. Holds where that
    cannot be counted.
    """

    machines: int
    percent: int = 100

    def most(self, facts: Facts) -> int:
        """How many machines a run may touch."""
        if not self.machines or not self.percent:
            return 0
        return min(self.machines, max(1, len(facts.machines) * self.percent // 100))

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        reach = situation.reach_of(plan)
        if reach.unseen:
            return Hold(guardrail="blast-radius", reason=f"how many machines it touches is unknown: {reach.unseen}")
        reached = reach.machines
        most = self.most(situation.facts)
        if reached and len(situation.touched | reached) > most:
            already = len(situation.touched)
            return Hold(
                guardrail="blast-radius",
                reason=f"a run touches at most {most} machines; it has {already}, this would add "
                f"{len(reached - situation.touched)}",
            )
        return None
