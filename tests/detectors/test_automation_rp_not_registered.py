"""The Automation resource provider is not registered in a subscription."""

from __future__ import annotations

import pytest

from detectors.automation_rp_not_registered import AutomationRpNotRegistered
from model.findings import Finding
from tests.builders import ELSEWHERE, SUBSCRIPTION, a_body, a_registration, facts, update_deployment
from tests.detectors.answers import answer, found, unknown

KEY = f"provider:{SUBSCRIPTION}/microsoft.automation"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Registered", "nothing"),
        ("registered", "nothing"),
        ("NotRegistered", "found"),
        ("Unregistered", "found"),
        ("UNREGISTERED", "found"),
        # On its way: half an hour at most.
        ("Registering", "nothing"),
        # On its way out: whoever started that will know why, and when it ends it is one of the two above.
        ("Unregistering", "unknown"),
        ("", "unknown"),
        ("SomethingNew", "unknown"),
    ],
)
def test_a_subscription_is_found_where_the_provider_is_not_registered(state: str, expected: str) -> None:
    assert answer(AutomationRpNotRegistered().detect(facts(registrations=[a_registration(state=state)]))) == expected


def test_a_subscription_whose_provider_was_not_asked_for_is_unknown() -> None:
    assert answer(AutomationRpNotRegistered().detect(facts())) == "unknown"


def test_a_subscription_whose_provider_could_not_be_read_is_unknown_and_hides_no_other() -> None:
    said = list(
        AutomationRpNotRegistered().detect(
            facts(
                subscriptions=[SUBSCRIPTION, ELSEWHERE],
                registrations=[a_registration(ELSEWHERE, "NotRegistered")],
                unreadable={KEY: "403 AuthorizationFailed"},
            )
        )
    )

    assert found(said) == [f"/subscriptions/{ELSEWHERE}"]
    assert unknown(said) == {f"/subscriptions/{SUBSCRIPTION}": "403 AuthorizationFailed"}


@pytest.mark.parametrize(
    "scope", [f"/subscriptions/{ELSEWHERE.upper()}", f"/Subscriptions/{ELSEWHERE}/resourceGroups/rg-app"]
)
def test_a_subscription_that_only_a_dynamic_query_names_counts(scope: str) -> None:
    """Its machines would never join; the finding says which deployments name it, and that it is not in scope."""
    said = AutomationRpNotRegistered().detect(
        facts(
            bodies=[a_body("Dynamic", scopes=[scope]), a_body("Also", scopes=[scope, scope])],
            registrations=[a_registration(), a_registration(ELSEWHERE, "Unregistered")],
        )
    )

    (finding,) = said
    assert isinstance(finding, Finding)
    assert finding.target == f"/subscriptions/{ELSEWHERE}"
    assert finding.evidence == {
        "registrationState": "Unregistered",
        "namedBy": ["Dynamic", "Also"],
        "inScope": False,
    }


def test_a_query_scope_in_no_subscription_is_unknown() -> None:
    """A management group, say: its subscriptions are not told by its id."""
    scope = "/providers/Microsoft.Management/managementGroups/corp"
    said = list(
        AutomationRpNotRegistered().detect(facts(bodies=[a_body(scopes=[scope])], registrations=[a_registration()]))
    )

    assert found(said) == []
    assert list(unknown(said)) == [update_deployment("Weekly").lower()]


def test_without_the_deployments_the_subscriptions_in_scope_are_still_judged() -> None:
    said = list(
        AutomationRpNotRegistered().detect(
            facts(registrations=[a_registration(state="NotRegistered")], unreadable={"deployments": "503"})
        )
    )

    assert found(said) == [f"/subscriptions/{SUBSCRIPTION}"]
    assert unknown(said) == {"": "subscriptions named by dynamic queries: 503"}


def test_without_the_providers_nothing_is_judged() -> None:
    said = list(AutomationRpNotRegistered().detect(facts(unreadable={"providers": "503"})))

    assert found(said) == []
    assert unknown(said) == {"": "503"}
