"""What the writer may do, asked of Resource Manager with a hand that only reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.clients import Clients
from adapters.permissions import AzureRights
from engine.ports import NotFound, PermissionMissing
from model.permissions import Permission
from simulator.fleets import sample
from tests.adapters.stub import Said, answering
from tests.adapters.world import World, a_world

NOBODY = "/subscriptions/99999999-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world(sample()) as world:
        yield world


def rights(url: str, *, simulated: bool = True) -> AzureRights:
    return AzureRights(lambda: Clients(url, read_only=True, back_off=0), simulated=simulated)


def test_a_resource_group_inherits_what_its_subscription_grants(world: World) -> None:
    """A list of roles, each with what it leaves out; one request a question, and none that could change anything."""
    subscription = f"/subscriptions/{world.fleet.subscriptions[0]}"
    world.azure.server.estate.roles[subscription] = [{"actions": ["*/read"]}]
    world.azure.server.estate.roles[f"{subscription}/resourcegroups/rg-app"] = [
        {
            "actions": ["Microsoft.Compute/*"],
            "notActions": ["*/delete"],
            "dataActions": ["x/y"],
            "notDataActions": ["z"],
        }
    ]
    asked = rights(world.azure.url)

    above, below = asked.granted(subscription), asked.granted(f"{subscription}/resourceGroups/rg-app")

    assert above == (Permission(actions=("*/read",)),)
    assert below[1] == Permission(
        actions=("Microsoft.Compute/*",), not_actions=("*/delete",), data_actions=("x/y",), not_data_actions=("z",)
    )
    assert below[0] == above[0]
    assert (asked.requests.read, asked.requests.write) == (2, 0)


def test_a_simulated_azure_that_does_not_know_the_question_has_nobody_to_ask_about(world: World) -> None:
    """No token is sent to it. Azure itself would know."""
    assert rights(world.azure.url).granted(NOBODY)[0].grants("Microsoft.Compute/virtualMachines/start/action")
    with pytest.raises(NotFound):
        rights(world.azure.url, simulated=False).granted(NOBODY)


def test_who_may_not_ask_is_told_so_and_what_is_no_text_is_left_out() -> None:
    answers = iter(
        [
            Said(status=403, body={"error": {"code": "AuthorizationFailed"}}),
            Said(body={"value": [{"actions": [1, "*"]}]}),
        ]
    )
    with answering(lambda _: next(answers)) as azure:
        with pytest.raises(PermissionMissing, match="AuthorizationFailed"):
            rights(azure.url).granted(NOBODY)
        assert rights(azure.url).granted(NOBODY) == (Permission(actions=("*",)),)


def test_nobody_is_built_before_somebody_asks() -> None:
    def never() -> Clients:
        raise AssertionError("nobody asked")

    assert AzureRights(never, simulated=False).requests.read == 0
