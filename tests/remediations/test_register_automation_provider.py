"""Microsoft.Automation is registered in a subscription."""

from __future__ import annotations

from model.plans import Declined, Plan, RegisterProvider
from model.states import Impact
from remediations.register_automation_provider import RegisterAutomationProvider
from tests.builders import ELSEWHERE, SUBSCRIPTION, a_finding, facts


def test_the_plan_is_one_registration() -> None:
    finding = a_finding(evidence={"registrationState": "Unregistered"})
    plan = RegisterAutomationProvider().plan(finding, facts())

    assert isinstance(plan, Plan)
    assert plan.impact is Impact.ADDITIVE
    assert plan.steps == (
        RegisterProvider(subscription=SUBSCRIPTION, namespace="Microsoft.Automation", state_before="Unregistered"),
    )


def test_a_subscription_out_of_scope_is_its_owner_s_to_register() -> None:
    """A dynamic query names it; nothing outside the configured subscriptions is ever changed."""
    answer = RegisterAutomationProvider().plan(a_finding(target=f"/subscriptions/{ELSEWHERE}"), facts())

    assert isinstance(answer, Declined)
    assert any(f"subscription {ELSEWHERE}" in step and "az provider register" in step for step in answer.advice.steps)


def test_it_needs_no_document() -> None:
    assert RegisterAutomationProvider().needs(a_finding(), facts()) == frozenset()
