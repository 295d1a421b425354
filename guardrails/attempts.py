"""What did not help twice is not tried a third time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardrails.protocol import Attempt, Situation
from model.plans import Hold, Plan
from model.times import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Holds a remediation that was tried `most` times on the same target `within` a time, until the oldest is past it.

    The next rung of the ladder is another remediation with attempts of its own; planning takes it, and where there is
    none says whose the case is now.
    """

    most: int
    within: timedelta

    def exhausted(self, attempts: Sequence[Attempt], now: datetime) -> datetime | None:
        """When there is an attempt left again, or None where there is one now."""
        if self.most == 0:
            return now + self.within
        recent = sorted(tried.at for tried in attempts if now - tried.at < self.within)
        return recent[-self.most] + self.within if len(recent) >= self.most else None

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if until := self.exhausted(situation.attempts, situation.now):
            tried = f"{plan.remediation} was tried {self.most} times on {plan.finding.name}"
            return Hold(guardrail="attempts", reason=f"{tried} within {in_words(self.within)}", until=until)
        return None
