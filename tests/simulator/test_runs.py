"""What deployments come to when their time has come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError

from model.times import format_time
from tests.simulator.azure import DAY, HOUR, azure
from tests.simulator.small_estate import ACCOUNT, NOW, RG, SmallEstate, deployment_body, guid, vm_id

LAST_WEEK = NOW - timedelta(days=4)
OLD = guid("the identity of before")


def test_a_run_is_under_way_before_it_has_ended() -> None:
    with azure(SmallEstate().vm("web-01").deployment("Weekly", "web-01")) as az:
        az.simulator.advance(3 * DAY + timedelta(minutes=30))
        (run,), (part,) = az.runs(), az.machine_runs()
        assert (run.properties.status, part.properties.status) == ("InProgress", "InProgress")

        az.simulator.advance(2 * HOUR)
        (run,), (part,) = az.runs(), az.machine_runs()
        assert (run.properties.status, part.properties.status) == ("Succeeded", "Succeeded")
        assert part.properties.correlation_id == run.name
        assert part.properties.source_computer_id == guid("agent/web-01")


def test_a_week_later_it_runs_again() -> None:
    with azure(SmallEstate().vm("web-01").deployment("Weekly", "web-01")) as az:
        az.simulator.advance(11 * DAY)
        starts = [run.properties.start_time for run in az.runs()]
        assert starts == [NOW + 10 * DAY, NOW + 3 * DAY]
        assert az.deployment("Weekly").properties.schedule_info.next_run == NOW + 17 * DAY


def test_a_machine_with_a_new_identity_fails_to_start_until_it_is_removed_and_added_again() -> None:
    """Two PUTs cure it, one does not: who was in the deployment before keeps the identity that it remembers."""
    estate = SmallEstate().vm("web-01").vm("sql-01").deployment("Weekly", "web-01", "sql-01")
    estate.run("Weekly", "sql-01", "FailedToStart", identity=OLD, at=LAST_WEEK)
    with azure(estate) as az:
        az.put_deployment("Weekly", deployment_body("web-01", "sql-01"))
        az.simulator.advance(3 * DAY + 3 * HOUR)
        failed, fine = sorted(
            (r.properties for r in az.machine_runs(f"properties/startTime ge {format_time(NOW)}")),
            key=lambda each: str(each.status),
        )
        assert failed.status == "FailedToStart"
        assert failed.source_computer_id == OLD
        assert "hybrid worker group that does not exist" in failed.error.message
        assert fine.status == "Succeeded"
        assert az.runs()[0].properties.status == "Failed"

        start = format_time(az.simulator.now + DAY)
        az.put_deployment("Weekly", deployment_body("web-01", startTime=start))
        az.put_deployment("Weekly", deployment_body("web-01", "sql-01", startTime=start))
        before = az.simulator.now
        az.simulator.advance(DAY + 3 * HOUR)
        after = az.machine_runs(f"properties/startTime gt {format_time(before)}")
        assert {each.properties.status for each in after} == {"Succeeded"}


def test_a_window_that_was_exceeded_is_exceeded_again_until_it_is_longer() -> None:
    estate = SmallEstate().vm("web-01").deployment("Weekly", "web-01")
    estate.run("Weekly", "web-01", "MaintenanceWindowExceeded", identity=guid("agent/web-01"), at=LAST_WEEK)
    with azure(estate) as az:
        az.simulator.advance(3 * DAY + 3 * HOUR)
        assert az.runs()[0].properties.status == "MaintenanceWindowExceeded"

        az.put_deployment(
            "Weekly", deployment_body("web-01", duration="PT3H", startTime=format_time(az.simulator.now + DAY))
        )
        az.simulator.advance(DAY + 4 * HOUR)
        newest = az.runs()[0].properties
        assert (newest.status, newest.configured_duration) == ("Succeeded", "PT3H")


def test_a_guest_may_say_how_long_it_really_needs() -> None:
    estate = SmallEstate().vm("web-01").deployment("Weekly", "web-01").guest("web-01", neededWindow="PT5H")
    with azure(estate) as az:
        az.simulator.advance(4 * DAY)
        assert az.runs()[0].properties.status == "MaintenanceWindowExceeded"


@pytest.mark.parametrize("cause", ["deallocated", "gone"])
def test_a_machine_that_cannot_be_reached_fails_to_start(cause: str) -> None:
    estate = SmallEstate()
    if cause != "gone":
        estate.vm("web-01", power=cause)
    with azure(estate.deployment("Weekly", "web-01")) as az:
        az.simulator.advance(4 * DAY)
        (part,) = az.machine_runs()
        assert part.properties.status == "FailedToStart"


def test_a_query_finds_its_machines_when_the_run_begins() -> None:
    """Whatever has no worker is not called: nobody could."""
    estate = SmallEstate().vm("web-01", patch="yes").vm("web-02", patch="no").vm("lin-01", os="Linux", patch="yes")
    for machine in ("web-01", "web-02", "lin-01"):
        estate.system_worker(machine)
    estate.vm("web-03", patch="yes").beats("web-03", guid("agent/web-03"), since=NOW - DAY)
    body = deployment_body()
    body["properties"]["updateConfiguration"]["targets"] = {  # type: ignore[call-overload,index]
        "azureQueries": [
            {
                "scope": [vm_id("web-01").split("/resourceGroups", maxsplit=1)[0]],
                "tagSettings": {"tags": {"Patch": ["Yes"]}, "filterOperator": "All"},
            }
        ]
    }
    with azure(estate) as az:
        az.put_deployment("Dynamic", body)
        az.simulator.advance(4 * DAY)
        assert [part.properties.target_computer for part in az.machine_runs()] == [vm_id("web-01")]


def test_disabled_and_one_time_deployments_do_not_run_again() -> None:
    estate = SmallEstate().vm("web-01").deployment("Off", "web-01", isEnabled=False)
    estate.deployment("Once", "web-01", frequency="OneTime", interval=None, startTime=format_time(LAST_WEEK))
    with azure(estate) as az:
        az.simulator.advance(30 * DAY)
        assert az.runs() == []


def test_runs_are_paged_and_every_one_comes_once_newest_first() -> None:
    estate = SmallEstate()
    for hours in range(25):
        estate.run("Weekly", "web-01", "Succeeded", identity=OLD, at=LAST_WEEK - timedelta(hours=hours))
    with azure(estate, page_size=10) as az:
        seen, sizes = [], []
        link = f"{ACCOUNT}/softwareUpdateConfigurationMachineRuns?api-version=2024-10-23&$top=1000"
        while link:
            page = az.http("GET", link).body
            sizes.append(len(page["value"]))
            seen += [item["properties"]["startTime"] for item in page["value"]]
            link = page.get("nextLink", "")
        assert sizes == [10, 10, 5]
        assert seen == sorted(set(seen), reverse=True)


def test_the_list_is_no_pager_but_skip_and_top_page_it() -> None:
    estate = SmallEstate()
    for hours in range(5):
        estate.run("Weekly", "web-01", "Succeeded", identity=OLD, at=LAST_WEEK - timedelta(hours=hours))
    with azure(estate) as az:
        listed = az.sdk.automation.software_update_configuration_runs.list(RG, "aa", skip="2", top="2")
        assert [run.properties and run.properties.start_time for run in listed.value or []] == [
            LAST_WEEK - timedelta(hours=2),
            LAST_WEEK - timedelta(hours=3),
        ]
        assert listed.next_link


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("properties/status eq 'FailedToStart'", 1),
        ("properties/status eq 'failedtostart' and properties/osType eq 'Windows'", 1),
        ("properties/status eq 'FailedToStart' or properties/status eq 'Succeeded'", 2),
        (f"properties/correlationId eq {guid(f'Weekly/{LAST_WEEK}')}", 1),
        (f"properties/correlationId eq '{guid(f'Weekly/{LAST_WEEK}')}'", 1),
        ("properties/softwareUpdateConfiguration/name eq 'Weekly'", 2),
        (f"properties/startTime gt {format_time(LAST_WEEK)}", 0),
        (f"properties/startTime ge {format_time(LAST_WEEK)}", 1),
        ("properties/startTime lt 2026-03-06T05:59:59.0000000+00:00 and (properties/status eq 'Succeeded')", 1),
    ],
)
def test_machine_runs_can_be_filtered(filter_: str, found: int) -> None:
    estate = SmallEstate().run("Weekly", "web-01", "FailedToStart", identity=OLD, at=LAST_WEEK)
    estate.run("Weekly", "web-01", "Succeeded", identity=OLD, at=LAST_WEEK - 7 * DAY)
    with azure(estate) as az:
        assert len(az.machine_runs(filter_)) == found


@pytest.mark.parametrize("filter_", ["status", "name eq 'x'", "properties/status is 'x'", "(properties/a eq 1"])
def test_a_filter_that_the_service_does_not_know_is_refused(filter_: str) -> None:
    with azure(SmallEstate()) as az, pytest.raises(HttpResponseError) as refused:
        az.machine_runs(filter_)
    assert refused.value.status_code == 400
