"""Deployments that name machines of another tenant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from detectors.cross_tenant_linked_subscription import CrossTenantLinkedSubscription
from model.facts import Facts, Subscription
from model.findings import Finding
from tests.builders import ELSEWHERE, SUBSCRIPTION, a_body, facts, guid, update_deployment, vm
from tests.detectors.answers import answer, unknown

OURS, THEIRS = guid("our tenant"), guid("their tenant")
HOME = Subscription(id=SUBSCRIPTION, name="home", tenant=OURS)
AWAY = Subscription(id=ELSEWHERE, name="away", tenant=THEIRS)
MINE, FOREIGN = vm("web-01"), vm("sql-01", subscription=ELSEWHERE.upper())


def world(*machines: str, seen: Sequence[Subscription] = (HOME, AWAY)) -> Facts:
    return facts(bodies=[a_body(machines=machines)], seen_subscriptions=seen)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (world(MINE), "nothing"),
        (world(MINE, FOREIGN), "found"),
        (world(MINE, FOREIGN, seen=[HOME, replace(AWAY, tenant=OURS)]), "nothing"),
        # Azure Lighthouse makes it work across tenants.
        (world(FOREIGN, seen=[HOME, replace(AWAY, managed_by=(guid("somebody"), OURS))]), "nothing"),
        (world(FOREIGN, seen=[HOME, replace(AWAY, managed_by=(guid("somebody"),))]), "found"),
        # One that cannot be seen may be another tenant's, or only lack a right.
        (world(MINE, FOREIGN, seen=[HOME]), "unknown"),
        (world(MINE, seen=[HOME]), "nothing"),
        (world(FOREIGN, seen=[HOME, replace(AWAY, tenant="")]), "nothing"),
        (world(MINE, seen=[]), "unknown"),
        (world(MINE, seen=[replace(HOME, tenant="")]), "unknown"),
        (world("not an id", MINE), "nothing"),
        (world(), "nothing"),
    ],
)
def test_another_tenant_s_machine_is_found_unless_its_subscription_is_delegated(read: Facts, said: str) -> None:
    assert answer(CrossTenantLinkedSubscription().detect(read)) == said


def test_one_deployment_is_one_finding_with_its_machines_and_their_tenants() -> None:
    many = [vm(f"m-{number}", subscription=ELSEWHERE) for number in range(60)]
    (finding,) = CrossTenantLinkedSubscription().detect(world(MINE, *many))

    assert isinstance(finding, Finding)
    assert finding.target == update_deployment("Weekly").lower()
    assert finding.evidence["subscriptions"] == {ELSEWHERE: THEIRS}
    assert finding.evidence["machines"] == [id_.lower() for id_ in many[:50]]
    assert finding.evidence["machineCount"] == 60


@pytest.mark.parametrize("reading", ["deployments", "subscriptions"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    read = replace(world(FOREIGN), unreadable=facts(unreadable={reading: "403"}).unreadable)

    assert unknown(CrossTenantLinkedSubscription().detect(read)) == {"": "403"}
