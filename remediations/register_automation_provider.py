"""Register Microsoft.Automation in a subscription."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RegisterProvider, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAutomationProvider:
    """Register the resource provider; Azure does the rest within minutes.

    Effect: one POST, free of charge, and harmless to repeat.
    Declined: the subscription is named by a dynamic query and is not in `PATCHWRIGHT_SUBSCRIPTIONS`.
    Risk: none beyond that the provider shows in the subscription's list.
    Verified: the registration state is no longer NotRegistered or Unregistered.
    Undo: none. Unregistering fails while resources exist, and leaves nothing better.
    """

    id: ClassVar[str] = "register-automation-provider"
    fixes: ClassVar[FailureState] = FailureState.AUTOMATION_RP_NOT_REGISTERED
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = Impact.ADDITIVE
    permissions: ClassVar[frozenset[str]] = frozenset({"Microsoft.Automation/register/action"})
    reads: ClassVar[frozenset[Reading]] = frozenset()
    namespace: str = "Microsoft.Automation"

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        subscription = finding.target.removeprefix("/subscriptions/")
        if subscription not in facts.subscriptions:
            return declined(
                finding,
                self.id,
                "the subscription is outside the scope that Patchwright may change",
                f"Let an owner of subscription {subscription} run: az provider register -n {self.namespace}",
                "Or add the subscription to PATCHWRIGHT_SUBSCRIPTIONS.",
            )
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{self.namespace} has to be registered before machines of the subscription can be managed.",
            steps=(
                RegisterProvider(
                    subscription=subscription,
                    namespace=self.namespace,
                    state_before=str(finding.evidence.get("registrationState", "")),
                ),
            ),
            settle=Settle(after=timedelta(minutes=1), why="the provider answers as registered"),
            risk="None beyond that the provider shows in the subscription's list.",
        )
