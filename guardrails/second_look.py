"""What was looked for in vain has to be looked for twice, well apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from guardrails.protocol import Situation
from model.plans import Hold, Plan
from model.states import FailureState
from model.times import format_time

TWICE: Final = frozenset({FailureState.VM_DELETED})
"""States that stand on something not being there, which a service in trouble may say of what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """Holds a plan that stands on an absence until the absence is `apart` old.

    The first look is somebody else's: the run that could not start, at the finding's `since`. The second is our own,
    when the plan is made, and again right before it is applied. Seconds apart, those two would be one: a service that
    loses sight of a machine for a while says 404 to both. So age decides, from the facts alone and without a memory.
    """

    apart: timedelta = timedelta(hours=1)

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        finding = plan.finding
        if finding.state not in TWICE:
            return None
        if finding.since is None:
            return Hold(guardrail="second-look", reason="since when it is gone is unknown")
        due = finding.since + self.apart
        if situation.facts.now < due:
            reason = f"gone since {format_time(finding.since)} at the earliest; the second look is due after an hour"
            return Hold(guardrail="second-look", reason=reason, until=due)
        return None
