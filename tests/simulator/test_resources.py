"""Subscriptions and providers, and the inventory that Resource Graph answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from tests.contract.sdk import sdk
from tests.simulator.azure import Azure, azure
from tests.simulator.small_estate import OTHER_SUBSCRIPTION, SUBSCRIPTION, SmallEstate, guid, vm_id

INVENTORY = """
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend power = tostring(properties.extended.instanceView.powerState.code),
    os = tostring(properties.storageProfile.osDisk.osType), vmId = tolower(tostring(properties.vmId))
| project id = tolower(id), name, location, subscriptionId, resourceGroup, tags, power, os, vmId
| order by id asc
"""


def ask(az: Azure, query: str, *, subscriptions: list[str] | None = None, **options: Any) -> Any:
    request = QueryRequest(query=query, subscriptions=subscriptions, options=QueryRequestOptions(**options))
    return az.sdk.graph.resources(request)


def other(az: Azure) -> ResourceManagementClient:
    return sdk(az.simulator.url, OTHER_SUBSCRIPTION).resources


def test_registration_takes_a_while() -> None:
    with azure(SmallEstate().provider(OTHER_SUBSCRIPTION, "Unregistered")) as az:
        assert other(az).providers.get("microsoft.automation").registration_state == "Unregistered"
        assert other(az).providers.register("Microsoft.Automation").registration_state == "Registering"
        assert other(az).providers.get("Microsoft.Automation").registration_state == "Registering"
        az.simulator.advance(timedelta(minutes=1))
        assert other(az).providers.get("Microsoft.Automation").registration_state == "Registered"


def test_a_provider_that_nobody_registered_is_not_registered() -> None:
    with azure(SmallEstate()) as az:
        assert other(az).providers.get("Microsoft.Maintenance").registration_state == "NotRegistered"
        with pytest.raises(ResourceNotFoundError, match="InvalidResourceNamespace"):
            other(az).providers.get("Microsoft.Nothing")
        elsewhere = sdk(az.simulator.url, guid("elsewhere")).resources
        with pytest.raises(ResourceNotFoundError, match="SubscriptionNotFound"):
            elsewhere.providers.get("Microsoft.Automation")


def test_a_registration_under_way_arrives() -> None:
    with azure(SmallEstate().provider(OTHER_SUBSCRIPTION, "Registering")) as az:
        az.simulator.advance(timedelta(hours=1))
        assert other(az).providers.get("Microsoft.Automation").registration_state == "Registered"


def test_pages_of_the_inventory_hold_every_machine_once() -> None:
    estate = SmallEstate()
    names = [f"web-{number:02}" for number in range(25)]
    for name in names:
        estate.vm(name)
    with azure(estate, graph_page_size=10) as az:
        pages, token = [], None
        while True:
            page = ask(az, INVENTORY, top=1000, skip_token=token)
            pages.append(page)
            token = page.skip_token
            if token is None:
                break
        assert [page.count for page in pages] == [10, 10, 5]
        assert {page.total_records for page in pages} == {25}
        assert [row["name"] for page in pages for row in page.data] == names
        assert {page.result_truncated for page in pages} == {"false"}


def test_a_row_has_the_power_state_the_tags_and_the_vm_id() -> None:
    with azure(SmallEstate().vm("off-01", power="deallocated", Owner="Ops")) as az:
        (row,) = ask(az, INVENTORY).data
        assert row == {
            "id": vm_id("off-01").lower(),
            "name": "off-01",
            "location": "westeurope",
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": "rg-web",
            "tags": {"Owner": "Ops"},
            "power": "PowerState/deallocated",
            "os": "Windows",
            "vmId": guid("vm/off-01"),
        }


def test_only_the_subscriptions_asked_about_are_answered() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        assert ask(az, "resources", subscriptions=[OTHER_SUBSCRIPTION]).total_records == 0
        assert ask(az, "resources | where name == 'web-01'", subscriptions=[SUBSCRIPTION]).total_records == 1


def test_the_inventory_follows_what_happens() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        az.sdk.compute.virtual_machines.begin_deallocate("rg-web", "web-01").result(30)
        assert ask(az, INVENTORY).data[0]["power"] == "PowerState/deallocated"


def test_without_an_id_there_is_no_next_page_and_the_answer_says_so() -> None:
    estate = SmallEstate().vm("web-01").vm("web-02")
    with azure(estate, graph_page_size=1) as az:
        page = ask(az, "resources | project name")
        assert (page.skip_token, page.result_truncated) == (None, "true")


def test_a_truncated_answer_can_be_ordered() -> None:
    with azure(SmallEstate().vm("web-01").vm("web-02")) as az:
        az.simulator.order({"kind": "truncated", "query": "virtualmachines"})
        page = ask(az, INVENTORY)
        assert (page.count, page.total_records, page.result_truncated, page.skip_token) == (1, 2, "true", None)


@pytest.mark.parametrize("query", ["nothere | take 1", "resources | where", "resources | where nothere == 1", ""])
def test_a_query_that_cannot_be_answered_is_a_bad_request(query: str) -> None:
    with azure(SmallEstate()) as az, pytest.raises(HttpResponseError) as refused:
        ask(az, query)
    assert refused.value.status_code == 400
