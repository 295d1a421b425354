"""Where a large part of the estate is unhealthy at once, the cause is elsewhere: look, do not touch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from guardrails.protocol import Situation
from model.facts import Reading
from model.plans import Hold, Plan
from model.times import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class StormGate:
    """Holds everything while more than `percent` of the machines are unhealthy, and for the `cool_down` after it.

    Unhealthy is a machine with a finding of any of the states that were looked for. One machine alone is no storm,
    however small the estate.
    """

    percent: int
    cool_down: timedelta

    def storm(self, unhealthy: int, machines: int) -> bool:
        """Whether so many of the machines being unhealthy is one."""
        return unhealthy > 1 and unhealthy * 100 > self.percent * machines

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        del plan  # every one alike
        facts = situation.facts
        if gap := facts.missing(Reading.MACHINES):
            return Hold(guardrail="storm-gate", reason=f"how many machines are unhealthy is unknown: {gap.what}")
        unhealthy, machines = len(situation.unhealthy), len(facts.machines)
        if self.storm(unhealthy, machines):
            reason = f"{unhealthy} of {machines} machines are unhealthy, which is more than {self.percent} %"
            return Hold(guardrail="storm-gate", reason=reason, until=situation.now + self.cool_down)
        if situation.storm_ends and situation.now < situation.storm_ends:
            reason = (
                f"more than {self.percent} % of the machines were unhealthy less than {in_words(self.cool_down)} ago"
            )
            return Hold(guardrail="storm-gate", reason=reason, until=situation.storm_ends)
        return None
