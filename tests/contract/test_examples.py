"""Microsoft's own examples and recordings, read by the adapters. Nobody here wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.clients import Clients
from adapters.clock import SystemClock
from adapters.estate import AzureEstate
from adapters.log_queries import answer_queries
from adapters.writer import AzureWriter
from engine.ports import StepFailed, StepPending, StepStale, quiet
from model.deployments import SERVER_OWNED, body_to_put, same_deployment
from model.documents import Document, Json, at, list_at, text_at
from model.facts import Facts, Reading, Unreadable
from model.plans import RunScript
from model.resource_ids import ResourceId
from model.times import parse_duration, parse_time
from tests.adapters.stub import Asked, Said, answering
from tests.support.parts import shared

AUTOMATION = "Microsoft.Automation/2024-10-23/examples"
OLDER = "Microsoft.Automation/2023-05-15-preview/examples"
LOGS = "Microsoft.OperationalInsights"


def example(path: str, status: str = "200") -> Document:
    """The body of an example's answer."""
    body = json.loads(shared(f"azure-specs/{path}").read_text(encoding="utf-8"))["responses"][status]["body"]
    assert isinstance(body, dict)
    return body


def read(reading: Reading, answers: dict[str, Document], *, subscription: str = "s") -> Facts:
    """What the estate makes of these answers by the last word of the path; anything else is not found."""

    def answer(asked: Asked) -> Said:
        found = answers.get(asked.path.rsplit("/", 1)[-1])
        return Said(status=404) if found is None else Said(body=found)

    with answering(answer) as azure:
        estate = AzureEstate(
            Clients(azure.url, read_only=True),
            SystemClock(),
            account="/subscriptions/s/resourceGroups/g/providers/Microsoft.Automation/automationAccounts/a",
            workspace="/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w",
            subscriptions=[subscription],
            lookback=timedelta(days=35),
        )
        return estate.read(frozenset({reading}), {}, quiet)


def test_deployments_of_the_example() -> None:
    body = example(f"{AUTOMATION}/softwareUpdateConfiguration/listSoftwareUpdateConfigurations.json")
    facts = read(Reading.DEPLOYMENTS, {"softwareUpdateConfigurations": body})
    assert Reading.DEPLOYMENTS not in facts.unreadable
    found = {deployment.name: deployment for deployment in facts.deployments.values()}
    assert list(found) == [d["name"] for d in list_at(body, "value") if isinstance(d, dict)]
    first = found["testpatch-01"]
    assert first.operating_system == "Windows"
    assert first.duration == timedelta(hours=2)
    assert [ResourceId.parse(id_).name for id_ in first.azure_machines] == ["vm-01", "vm-02", "vm-03"]
    assert first.computer_names == ()
    assert first.query_scopes == (
        "/subscriptions/422b6c61-95b0-4213-b3be-7282315df71d/resourcegroups/a-stasku-rg0",
        "/subscriptions/422b6c61-95b0-4213-b3be-7282315df71d",
    )
    assert all(deployment.frequency and deployment.last_modified for deployment in found.values())


def test_runs_of_the_example() -> None:
    body = example(f"{OLDER}/softwareUpdateConfigurationRun/listSoftwareUpdateConfigurationRuns.json")
    # Its next page is in the public cloud, where a list from elsewhere must not lead.
    assert Reading.RUNS in read(Reading.RUNS, {"softwareUpdateConfigurationRuns": body}).unreadable
    facts = read(Reading.RUNS, {"softwareUpdateConfigurationRuns": body | {"nextLink": None}})
    assert Reading.RUNS not in facts.unreadable
    assert [run.id for run in facts.runs] == [d["name"] for d in list_at(body, "value") if isinstance(d, dict)]
    run = facts.runs[0]
    assert (run.deployment, run.status, run.configured_duration) == ("mypatch", "succeeded", timedelta(hours=2))
    assert run.start == parse_time("2017-10-23T02:30:36.240123Z")
    assert run.end is not None


def test_the_machine_run_of_the_example() -> None:
    body = example(
        f"{AUTOMATION}/softwareUpdateConfigurationMachineRun/getSoftwareUpdateConfigurationMachineRunById.json"
    )
    facts = read(Reading.MACHINE_RUNS, {"softwareUpdateConfigurationMachineRuns": {"value": [body]}})
    (run,) = facts.machine_runs
    assert run.run == "0b943e57-44d3-4f05-898c-6e92aa617e59"
    assert run.source_computer_id == "3d3f24bf-7037-424e-bfba-aae3b9752f8e"
    assert run.target.endswith("/microsoft.compute/virtualmachines/myvm")
    assert (run.status, run.error, run.deployment) == ("succeeded", "", "mypatch")


def test_workers_of_the_example() -> None:
    """A machine outside Azure has no resource id, and is still a worker."""
    group = example(f"{OLDER}/getHybridRunbookWorkerGroup.json")
    workers = example(f"{OLDER}/listHybridRunbookWorker.json")
    facts = read(
        Reading.USER_WORKERS, {"hybridRunbookWorkerGroups": {"value": [group]}, "hybridRunbookWorkers": workers}
    )
    assert Reading.USER_WORKERS not in facts.unreadable
    assert [(w.worker_name, w.machine_id) for w in facts.user_workers][:2] == [
        ("vmname", "/subscriptions/vmsubid/resourcegroups/vmrg/providers/microsoft.compute/virtualmachines/vmname"),
        ("myworker", ""),
    ]
    assert {worker.group for worker in facts.user_workers} == {group["name"]}


def test_the_saved_search_of_the_example() -> None:
    body = example(f"{LOGS}/2025-07-01/examples/SavedSearchesListByWorkspace.json")
    facts = read(Reading.SAVED_SEARCHES, {"savedSearches": body})
    (search,) = facts.saved_searches.values()
    assert search.etag == "W/\"datetime'2017-10-02T23%3A15%3A41.0709875Z'\""
    assert [search.document] == body["value"]


def test_the_provider_of_the_example() -> None:
    body = example("Microsoft.Resources/2024-07-01/examples/GetProvider.json")
    facts = read(Reading.PROVIDERS, {"Microsoft.Automation": body})
    assert [provider.state for provider in facts.providers.values()] == ["Registering"]


@pytest.mark.parametrize("name", ["batch-query-example.json"])
def test_query_results_of_the_example(name: str) -> None:
    """Every cell under its column, times in one spelling."""
    body = example(f"{LOGS}/data-plane/2022-10-27/examples/{name}")
    with answering(lambda _: Said(body=body)) as azure:
        found = answer_queries(
            Clients(azure.url, read_only=True), "guid", {"two": "AppRequests", "three": "AppRequests"}
        )
    for number, rows in enumerate(found.values()):
        assert not isinstance(rows, Unreadable)
        (table,) = [t for t in list_at(_part(body, number), "body.tables") if isinstance(t, dict)]
        assert len(rows) == len(list_at(table, "rows")) > 0
        columns = [text_at(c, "name") for c in list_at(table, "columns") if isinstance(c, dict)]
        assert all(list(row) == columns for row in rows)
        assert all(parse_time(row["TimeGenerated"]) for row in rows)


def _part(body: Document, number: int) -> Document:
    part = list_at(body, "responses")[number]
    assert isinstance(part, dict)
    return part


@pytest.mark.parametrize("name", ["ResourcesFirstPageQuery", "ResourcesRandomPageQuery"])
def test_one_page_of_resource_graph_is_no_inventory(name: str) -> None:
    """The examples show a page of many: taken for the whole it would be a fleet of three."""
    body = example(f"Microsoft.ResourceGraph/2021-03-01/examples/{name}.json")
    facts = read(Reading.MACHINES, {"resources": body})
    assert facts.machines == {}
    assert Reading.MACHINES in facts.unreadable


COMMAND = RunScript(
    machine="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
    location="westeurope",
    script="windows/reset-worker-key.ps1",
    parameters={},
)


@pytest.mark.parametrize("version", ["2024-07-01", "2026-04-01"])
def test_a_run_command_of_the_example_ended_without_our_mark(version: str) -> None:
    """It succeeded, and did not say what it did: that is no success of ours."""
    body = example(f"Microsoft.Compute/{version}/examples/runCommandExamples/VirtualMachineRunCommand.json")

    def answer(asked: Asked) -> Said:
        return Said(body=body) if asked.method == "GET" else Said(status=200)

    with answering(answer) as azure:
        writer = AzureWriter(lambda: Clients(azure.url, read_only=False), SystemClock(), lambda: None)
        progress = writer.check(COMMAND, "s", {"began": "2026-03-10T06:00:00Z"})
        assert isinstance(progress, StepPending)
        failed = writer.check(COMMAND, "s", progress.token)
    assert isinstance(failed, StepFailed)
    state = text_at(body, "properties.instanceView.executionState")
    assert ("without saying what it did" in failed.reason) == (state == "Succeeded")


def bodies_with(key: str) -> Iterator[tuple[str, Document]]:
    """Every object in the examples and recordings that holds a key, and where it stands."""
    for file in sorted(
        [
            *shared("azure-specs/Microsoft.Automation").rglob("examples/**/*.json"),
            *shared("azure-specs/recordings").rglob("*.json"),
        ]
    ):
        for name, text in _texts(file):
            yield from ((name, found) for found in _holding(json.loads(text), key))


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    content = json.loads(file.read_text(encoding="utf-8"))
    if "Entries" not in content:
        yield file.name, json.dumps(content["responses"])
        return
    for entry in content["Entries"]:
        if entry["ResponseBody"]:
            yield file.name, entry["ResponseBody"]


def _holding(value: Json, key: str) -> Iterator[Document]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict) and at(value, f"properties.{key}") is not None:
            yield value
        for inner in value.values():
            yield from _holding(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _holding(inner, key)


def test_every_deployment_that_microsoft_shows_can_be_sent_back() -> None:
    """Nothing is lost on the way but what the service owns, and the result says the same."""
    documents = list(bodies_with("updateConfiguration"))
    assert len(documents) >= 4
    for name, document in documents:
        body = body_to_put(document)
        assert same_deployment(document, body) is None, name
        assert parse_duration(at(body, "properties.updateConfiguration.duration")), name
        assert at(body, "properties.updateConfiguration") == at(document, "properties.updateConfiguration")
        assert at(body, "properties.tasks") == at(document, "properties.tasks")
        assert not any(at(body, path) for path in SERVER_OWNED), name


def recording(name: str) -> list[Document]:
    (file,) = shared("azure-specs/recordings").rglob(f"{name}.json")
    entries = json.loads(file.read_text(encoding="utf-8"))["Entries"]
    assert isinstance(entries, list)
    return entries


def test_what_the_live_service_kept_is_what_was_sent_but_for_the_clock() -> None:
    """Microsoft's recording of a PUT and a GET.

    The service wrote the words in its own order, added nulls and its own times; it read the start on the clock of
    `timeZone` (here none was sent: UTC) instead of by its offset, and made a one-time deployment expire at its start.
    """
    put, get = recording("TestCreateAndGetSoftwareUpdateConfigurationWithNonAzureDynamicGroupsOnly")
    sent, kept = json.loads(text_at(put, "RequestBody")), json.loads(text_at(get, "ResponseBody"))
    change = same_deployment(sent, kept)
    assert change is not None
    assert change.field == "properties.scheduleInfo.startTime"
    for field in ("startTime", "expiryTime", "timeZone"):
        sent["properties"]["scheduleInfo"][field] = kept["properties"]["scheduleInfo"][field]
    assert same_deployment(sent, kept) is None


def test_the_live_services_machine_runs_are_read() -> None:
    (entry,) = recording("GetAllMachineRunsWithFilters")
    body = json.loads(text_at(entry, "ResponseBody"))
    facts = read(Reading.MACHINE_RUNS, {"softwareUpdateConfigurationMachineRuns": body})
    assert Reading.MACHINE_RUNS not in facts.unreadable
    assert {run.id for run in facts.machine_runs} == {run["name"] for run in body["value"]}
    assert all(run.run and run.target and run.status and run.start for run in facts.machine_runs)


def test_the_live_services_flat_errors_are_read() -> None:
    """Automation's 404 has no `error` around code and message."""
    missing = next(e for e in recording("E2EHybridWorkerGroup") if e["StatusCode"] == 404)
    said = Said(status=404, body=json.loads(text_at(missing, "ResponseBody")))
    with answering(lambda _: said) as azure:
        writer = AzureWriter(lambda: Clients(azure.url, read_only=False), SystemClock(), lambda: None)
        stale = writer.begin(COMMAND, "s", {})
    # The machine is gone, as far as Azure says; nothing else was asked.
    assert isinstance(stale, StepStale)
    assert (stale.field, stale.planned) == ("machine", COMMAND.machine)
