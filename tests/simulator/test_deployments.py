"""Deployments (software update configurations) over the wire, with the rules that bite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from model.documents import Document
from model.times import format_time
from tests.simulator.azure import Azure, azure
from tests.simulator.small_estate import ACCOUNT, NOW, RG, SmallEstate, deployment_body, vm_id

VERSION = "api-version=2024-10-23"


@pytest.fixture
def one() -> Iterator[Azure]:
    estate = SmallEstate().vm("web-01").vm("web-02").deployment("Weekly", "web-01", "web-02")
    with azure(estate) as running:
        yield running


def test_the_list_leaves_out_the_schedule_and_has_no_next_link(one: Azure) -> None:
    reply = one.http("GET", f"{ACCOUNT}/softwareUpdateConfigurations?{VERSION}")

    (item,) = reply.body["value"]
    assert "scheduleInfo" not in item["properties"]
    assert item["properties"]["frequency"] == "Week"
    assert item["properties"]["nextRun"].startswith("2026-03-13T06:00:00")
    assert item["properties"]["updateConfiguration"]["azureVirtualMachines"] == [vm_id("web-01"), vm_id("web-02")]
    assert set(reply.body) == {"value"}


def test_the_list_can_be_asked_for_one_machine(one: Azure) -> None:
    one.put_deployment("Other", deployment_body("web-02"))
    listed = one.sdk.automation.software_update_configurations.list(
        RG, "aa", filter=f"properties/updateConfiguration/azureVirtualMachines/any(m: m eq '{vm_id('web-01').lower()}')"
    )
    assert [each.name for each in listed.value or []] == ["Weekly"]


def test_ids_are_found_in_any_case_and_answered_in_azures_spelling(one: Azure) -> None:
    reply = one.http("GET", f"{ACCOUNT.upper()}/SOFTWAREUPDATECONFIGURATIONS/weekly?{VERSION}")
    assert reply.body["id"] == f"{ACCOUNT}/softwareUpdateConfigurations/Weekly"


def test_what_is_not_there_is_a_flat_404(one: Azure) -> None:
    reply = one.http("GET", f"{ACCOUNT}/softwareUpdateConfigurations/none?{VERSION}")
    assert reply.status == 404
    assert reply.body["code"] == "NotFound"
    with pytest.raises(ResourceNotFoundError):
        one.deployment("none")


def test_a_new_deployment_is_provisioning_at_first(one: Azure) -> None:
    reply = one.http("PUT", f"{ACCOUNT}/softwareUpdateConfigurations/New?{VERSION}", deployment_body("web-01"))

    assert reply.status == 201
    assert reply.headers["location"].startswith(one.simulator.url)
    assert reply.body["properties"]["provisioningState"] == "Provisioning"
    assert one.deployment("New").properties.provisioning_state == "Provisioning"
    assert one.deployment("New").properties.provisioning_state == "Succeeded"


def test_a_put_replaces_everything(one: Azure) -> None:
    """What the body leaves out is gone: a PUT is not a merge."""
    body = deployment_body("web-01", description="first")
    body["properties"]["updateConfiguration"]["windows"]["excludedKbNumbers"] = ["168934"]  # type: ignore[call-overload,index]
    one.put_deployment("Weekly", body)
    one.put_deployment("Weekly", deployment_body("web-02", duration="PT3H"))

    properties = one.deployment("Weekly").properties
    assert properties.update_configuration.azure_virtual_machines == [vm_id("web-02")]
    assert properties.update_configuration.windows.excluded_kb_numbers is None
    assert properties.update_configuration.duration == timedelta(hours=3)
    assert properties.schedule_info.description == ""


def test_the_service_fills_in_what_is_its_own(one: Azure) -> None:
    body = deployment_body("web-01")
    body["properties"] |= {"createdBy": "me", "provisioningState": "Succeeded"}  # type: ignore[operator]
    answer = one.http("PUT", f"{ACCOUNT}/softwareUpdateConfigurations/New?{VERSION}", body).body["properties"]

    assert answer["createdBy"] == ""
    assert answer["provisioningState"] == "Provisioning"
    assert answer["scheduleInfo"]["nextRun"] == answer["scheduleInfo"]["startTime"]
    assert answer["updateConfiguration"]["windows"]["includedUpdateClassifications"] == "Critical, Security"
    assert answer["updateConfiguration"]["linux"] is None


@pytest.mark.parametrize(
    ("ahead", "accepted"),
    [
        (timedelta(minutes=10), True),  # ten minutes are enough
        (timedelta(minutes=9), False),
        (timedelta(days=-60), False),  # a recurring schedule's own start, sent back as it was read
    ],
)
def test_the_start_must_be_ten_minutes_ahead(one: Azure, ahead: timedelta, *, accepted: bool) -> None:
    body = deployment_body("web-01", startTime=format_time(NOW + ahead))
    if accepted:
        one.put_deployment("Weekly", body)
    else:
        with pytest.raises(HttpResponseError, match="10 minutes") as refused:
            one.put_deployment("Weekly", body)
        assert refused.value.status_code == 400


def test_the_start_is_read_as_the_wall_clock_of_the_time_zone(one: Azure) -> None:
    """The offset that is sent is not looked at, as three recordings of the live service show."""
    body = deployment_body("web-01", startTime="2026-03-13T08:30:00+05:30", timeZone="Europe/Berlin")
    one.put_deployment("Weekly", body)
    assert one.deployment("Weekly").properties.schedule_info.start_time.isoformat() == "2026-03-13T08:30:00+01:00"


@pytest.mark.parametrize("wrong", [
    deployment_body(),  # nobody is patched
    deployment_body("web-01", duration="PT20M"),
    deployment_body("web-01", duration="PT6H30M"),
    deployment_body("web-01", frequency="Sometimes"),
    deployment_body("web-01", interval=0),
    deployment_body("web-01", startTime="soon"),
    {"properties": {}},
])  # fmt: skip
def test_a_body_that_the_service_would_refuse_changes_nothing(one: Azure, wrong: Document) -> None:
    before = one.http("GET", f"{ACCOUNT}/softwareUpdateConfigurations/Weekly?{VERSION}").body
    with pytest.raises(HttpResponseError) as refused:
        one.put_deployment("Weekly", wrong)
    assert refused.value.status_code == 400
    assert one.http("GET", f"{ACCOUNT}/softwareUpdateConfigurations/Weekly?{VERSION}").body == before


def test_a_deleted_deployment_is_gone_and_does_not_run(one: Azure) -> None:
    one.sdk.automation.software_update_configurations.delete(RG, "aa", "Weekly")
    one.sdk.automation.software_update_configurations.delete(RG, "aa", "Weekly")  # 204: it is as wished

    with pytest.raises(ResourceNotFoundError):
        one.deployment("Weekly")
    one.simulator.advance(timedelta(days=8))
    assert one.runs() == []


def test_requests_without_a_version_are_refused(one: Azure) -> None:
    assert one.http("GET", ACCOUNT).body["error"]["code"] == "MissingApiVersionParameter"
