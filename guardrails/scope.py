"""Nothing outside the configured subscriptions is ever changed."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from guardrails.reach import resources
from model.plans import Plan, Refuse
from model.resource_ids import InvalidResourceId, subscription_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Refuses a plan that would change something in a subscription that is not in `PATCHWRIGHT_SUBSCRIPTIONS`."""

    def judge(self, plan: Plan, situation: Situation) -> Refuse | None:
        for resource in sorted(resources(plan)):
            try:
                inside = subscription_of(resource) in situation.facts.subscriptions
            except InvalidResourceId:
                inside = False
            if not inside:
                return Refuse(guardrail="scope", reason=f"{resource} is outside the subscriptions in scope")
        return None
