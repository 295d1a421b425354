"""Every request that the app sends, judged by Microsoft's documents: path, query and body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from adapters.export import export
from engine.ports import StepDone, StepPending
from model.documents import Document
from model.plans import AwaitIdentity, RunScript, Step
from simulator.fleets import generate
from tests.adapters.test_writer import steps_of_every_kind
from tests.adapters.world import World, a_world
from tests.contract.openapi import Judge

UNDESCRIBED = frozenset({"intelligencePacks", "subscriptions"})
"""Last fixed word of a path that no document at hand is about: both a sweep and an export read them."""


@pytest.fixture(scope="module")
def sent() -> Iterator[list[Document]]:
    """The simulated Azure's log after a sweep, a closer look and a step of every kind."""
    Judge.load()
    with a_world(generate(60, 3)) as world:
        facts = world.closer(world.facts())
        some = frozenset([*sorted(facts.machines)[:5], *facts.saved_searches, *sorted(facts.deployments)[:2]])
        world.estate.look_closer(facts, some)
        for step in steps_of_every_kind(world):
            hold(world, step)
            if isinstance(step, RunScript):
                # What a script changes is awaited in the logs.
                old = "00000000-0000-0000-0000-000000000000"
                guid = facts.workspace_guid
                hold(world, AwaitIdentity(machine=step.machine, workspace_guid=guid, not_source_computer_id=old))
        yield world.azure.requests()


def hold(world: World, step: Step) -> None:
    """Take a step to its end."""
    progress = world.writer.begin(step, "contract", {})
    while isinstance(progress, StepPending):
        world.clock.sleep_until(world.clock.now() + progress.look_again)
        progress = world.writer.check(step, "contract", progress.token)
    assert isinstance(progress, StepDone)


def as_sent(request: Document) -> tuple[str, str, object]:
    """Method, path with query, and body: the log keeps paths and queries decoded, and bodies as text."""
    parameters = request["query"]
    assert isinstance(parameters, dict)
    path = quote(str(request["path"]), safe="/$()")
    asked = urlencode({name: str(value) for name, value in parameters.items()})
    body = request["body"]
    return (
        str(request["method"]),
        f"{path}?{asked}" if asked else path,
        json.loads(body) if isinstance(body, str) else None,
    )


def test_every_request_is_one_that_azure_describes(sent: list[Document]) -> None:
    judge = Judge.load()
    problems = {
        f"{method} {path}: {problem}"
        for method, path, body in map(as_sent, sent)
        if "/intelligencePacks?" not in path and not path.startswith("/subscriptions?")
        for problem in judge.request(method, path, body)
    }
    assert problems == set()


def test_every_kind_of_request_was_among_them(sent: list[Document]) -> None:
    """Else the test above would promise less than it says."""
    judge = Judge.load()
    operations = [judge.operation(method, path) for method, path, _ in map(as_sent, sent)]
    assert {operation.name for operation in operations if operation} == {
        "HybridRunbookWorkerGroup_ListByAutomationAccount",
        "HybridRunbookWorkers_ListByHybridRunbookWorkerGroup",
        "Job_ListByAutomationAccount",
        "LinkedServices_Get",
        "LinkedWorkspace_Get",
        "Providers_Get",
        "Providers_Register",
        "Query_Batch",
        "Query_Execute",
        "Resources",
        "SavedSearches_CreateOrUpdate",
        "SavedSearches_Get",
        "SavedSearches_ListByWorkspace",
        "SoftwareUpdateConfigurationMachineRuns_List",
        "SoftwareUpdateConfigurationRuns_List",
        "SoftwareUpdateConfigurations_Create",
        "SoftwareUpdateConfigurations_GetByName",
        "SoftwareUpdateConfigurations_List",
        "Solutions_Get",
        "Usages_ListByAutomationAccount",
        "VirtualMachineRunCommands_CreateOrUpdate",
        "VirtualMachineRunCommands_Delete",
        "VirtualMachineRunCommands_GetByVirtualMachine",
        "VirtualMachineRunCommands_ListByVirtualMachine",
        "VirtualMachines_Get",
        "VirtualMachines_Start",
        "Workspaces_Get",
        "Workspaces_Update",
    }


def test_an_export_asks_for_nothing_that_azure_does_not_have(tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge.load()
    with a_world(generate(60, 3)) as world:
        export(world.estate, tmp_path_factory.mktemp("export"))
        requests = [as_sent(request) for request in world.azure.requests()]
    problems, undescribed = set[str](), set[str]()
    for method, path, body in requests:
        if judge.knows(method, path):
            problems |= {f"{method} {path}: {problem}" for problem in judge.request(method, path, body)}
        else:
            words = path.split("?", 1)[0].split("/")
            undescribed.add(words[-1] if len(words) % 2 == 0 else words[-2])
    assert problems == set()
    assert undescribed == UNDESCRIBED
