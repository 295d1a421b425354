"""What is read about machines that dynamic queries select: nothing where the runs called all of them."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from functools import cache

import pytest

from adapters.dynamic_groups import with_ids
from detectors.schedule_missed_machines import ScheduleMissedMachines
from model.documents import Document, list_at, text_at
from model.facts import PowerState, Reading
from model.findings import Finding
from model.times import format_time
from simulator.fleet import Fleet
from simulator.fleets import generate
from tests.adapters.world import World, a_world

AUTOMATION = "Microsoft.Automation/automationAccounts"
NAME = "Dynamic-Tagged"
READINGS = (*ScheduleMissedMachines.reads, Reading.MACHINES)
POWER = "properties.extended.instanceView.powerState.code"


STARTED = timedelta(days=2)
"""How long ago the run was."""


@cache
def estate() -> Fleet:
    """Its last three Windows machines that run carry the tag that the deployment's query wants."""
    fleet = generate(60, 1)
    (deployment,) = (d for d in fleet.documents if text_at(d, "name") == NAME)
    (query,) = list_at(deployment, "properties.updateConfiguration.targets.azureQueries")
    assert isinstance(query, dict)
    query["scope"] = [f"/subscriptions/{fleet.subscriptions[0]}"]
    fit = [document for document in fleet.documents if is_fit(document)][-3:]
    tagged: list[Document] = [{**document, "tags": {"Patch": "Yes"}} for document in fit]
    return dataclasses.replace(fleet, documents=[*(d for d in fleet.documents if d not in fit), *tagged])


def is_fit(document: Document) -> bool:
    return (
        text_at(document, "type") == "Microsoft.Compute/virtualMachines"
        and text_at(document, "properties.storageProfile.osDisk.osType") == "Windows"
        and "PowerState/running" in json.dumps(document)
    )


def chosen() -> list[str]:
    return [text_at(document, "id") for document in estate().documents if text_at(document, "tags.Patch")]


def with_run(*, left_out: str | None) -> Fleet:
    """The estate with a run of the deployment that called whom it selects, but for one."""
    fleet, run = estate(), "5d1b4d35-0000-4000-8000-000000000001"
    start = format_time(fleet.now - STARTED)
    name: Document = {"name": NAME}
    called = [machine for machine in chosen() if machine != left_out]
    account = fleet.account
    common: Document = {
        "softwareUpdateConfiguration": name,
        "status": "Succeeded",
        "startTime": start,
        "endTime": start,
    }
    documents: list[Document] = [
        {
            "id": f"{account}/softwareUpdateConfigurationRuns/{run}",
            "name": run,
            "type": f"{AUTOMATION}/softwareUpdateConfigurationRuns",
            "properties": {**common, "osType": "Windows", "computerCount": len(called), "configuredDuration": "PT2H"},
        }
    ]
    documents += [
        {
            "id": f"{account}/softwareUpdateConfigurationMachineRuns/{number}",
            "name": f"5d1b4d35-0000-4000-8000-{number:012}",
            "type": f"{AUTOMATION}/softwareUpdateConfigurationMachineRuns",
            "properties": {**common, "osType": "Windows", "correlationId": run, "targetComputer": machine},
        }
        for number, machine in enumerate(called, start=100)
    ]
    return dataclasses.replace(fleet, documents=[*fleet.documents, *documents])


def without_one(*, off: bool) -> tuple[Fleet, str]:
    """The same, but that the run left a machine out, which may have been off then; answers its id, too."""
    machine = chosen()[0]
    change: Document = {
        "id": f"{machine}/providers/Microsoft.Resources/changes/08584889383111245807_1",
        "name": "08584889383111245807_1",
        "type": "microsoft.resources/changes",
        "properties": {
            "targetResourceId": machine,
            "targetResourceType": "microsoft.compute/virtualmachines",
            "changeType": "Update",
            "changeAttributes": {"timestamp": format_time(estate().now - STARTED / 2), "changesCount": 2},
            "changes": {
                POWER: {"previousValue": "PowerState/deallocated", "newValue": "PowerState/running"},
                "tags.cost": {"previousValue": None, "newValue": "1", "propertyChangeType": "Insert"},
            },
        },
    }
    missed = with_run(left_out=machine)
    return dataclasses.replace(missed, documents=[*missed.documents, *([change] if off else [])]), machine.lower()


def asked(world: World) -> list[str]:
    """Requests about one run, about changes, and about agents."""
    about = {"correlationId": "run", "resourcechanges": "changes", "Heartbeat": "agents"}
    return sorted(word for each in world.azure.requests() for text, word in about.items() if text in str(each))


def test_where_runs_called_all_nothing_more_is_asked() -> None:
    with a_world(with_run(left_out=None)) as world:
        facts = world.facts(*READINGS)

        assert asked(world) == []
    assert any(deployment.queries for deployment in facts.deployments.values())
    assert facts.called == {}
    assert facts.unreadable == {}


@pytest.mark.parametrize(("off", "cause"), [(True, "off"), (False, "permission")])
def test_a_machine_that_was_left_out_costs_three_requests_and_is_found_with_its_cause(
    off: bool,  # noqa: FBT001 - a column of the table
    cause: str,
) -> None:
    fleet, machine = without_one(off=off)
    with a_world(fleet) as world:
        facts = world.facts(*READINGS)

        assert asked(world) == ["agents", "changes", "run"]
    (found,) = ScheduleMissedMachines().detect(facts)
    assert isinstance(found, Finding)
    listed = found.evidence["machines"]
    assert isinstance(listed, list)
    assert [(one["machine"], one["cause"]) for one in listed if isinstance(one, dict)] == [(machine, cause)]
    assert facts.machines[machine].power is PowerState.RUNNING


def test_what_came_cut_is_named() -> None:
    fleet, _ = without_one(off=True)
    with a_world(fleet) as world:
        world.azure.order({"kind": "truncated", "query": "resourcechanges"})
        facts = world.facts(*READINGS)

    assert list(facts.unreadable) == [Reading.DYNAMIC_GROUPS]


def test_ids_go_in_as_json_and_nothing_else() -> None:
    """A quote in an id ends no text."""
    query = with_ids('let machines = dynamic(["x"]);\n// kept\nT | where a in (machines)', ['a"]); drop', "b\\"])

    assert query == 'let machines = dynamic(["a\\"]); drop", "b\\\\"]);\n// kept\nT | where a in (machines)'


def test_where_it_cannot_be_told_whom_a_query_selects_nothing_is_asked() -> None:
    fleet, _ = without_one(off=True)
    with a_world(fleet) as world:
        world.azure.order({"kind": "error", "status": 403, "path": "softwareUpdateConfigurationRuns"})
        facts = world.facts(*READINGS)

        assert asked(world) == []
    assert list(facts.unreadable) == [Reading.RUNS]
