"""What was tried twice in a day, or twice in vain, is not tried a third time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardrails.protocol import Attempt, Situation
from model.plans import Hold, Plan
from model.times import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Holds a remediation of which `most` attempts on the same target count, until the oldest no longer does.

    An attempt counts `within` a time; one that was applied and did not help counts as long as that is remembered.
    The next rung of the ladder is another remediation with attempts of its own; planning takes it, and where there is
    none says whose the case is now.
    """

    most: int
    within: timedelta

    def exhausted(self, attempts: Sequence[Attempt], now: datetime) -> datetime | None:
        """When there is an attempt left again, or None where there is one now."""
        if self.most == 0:
            return now + self.within
        ends = sorted(end for tried in attempts if (end := tried.counts_until(self.within)) > now)
        return ends[-self.most] if len(ends) >= self.most else None

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if until := self.exhausted(situation.attempts, situation.now):
            tried = f"{plan.remediation} was tried {self.most} times on {plan.finding.name}"
            in_vain = any(one.in_vain_until for one in situation.attempts)
            how = "and did not help" if in_vain else f"within {in_words(self.within)}"
            return Hold(guardrail="attempts", reason=f"{tried} {how}", until=until)
        return None
