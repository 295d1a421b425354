"""What was read too long ago is not acted on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from guardrails.protocol import Situation
from model.plans import Hold, Plan
from model.times import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleFacts:
    """Holds a plan whose facts are older than `most`, or come from a future that has not been yet."""

    most: timedelta

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        del plan  # every one alike
        age = situation.now - situation.facts.now
        if age > self.most:
            reason = f"what it stands on was read {in_words(age)} ago, which is longer than {in_words(self.most)}"
            return Hold(guardrail="stale-facts", reason=reason)
        if -age > self.most:
            return Hold(guardrail="stale-facts", reason=f"what it stands on was read {in_words(-age)} from now")
        return None
