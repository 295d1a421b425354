"""Everything the simulated Azure answers is what Microsoft's documents say Azure answers.

Microsoft's SDK clients ask; the judge looks at each exchange as it went over the wire: on the example estate, which
was written outside this project, and on a generated one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions
from azure.monitor.query import LogsBatchQuery

from model.documents import Document
from model.resource_ids import ResourceId
from simulator.fleet import Fleet, load_folder
from simulator.fleets import generate
from simulator.options import Options
from simulator.serve import Simulator, running
from tests.contract.openapi import SPECS, Judge
from tests.contract.sdk import NO_WAITING, Sdk, sdk
from tests.support.parts import shared

AN_HOUR: Final = timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """A simulated Azure, its fleet, and the clients to ask it with."""

    simulator: Simulator
    fleet: Fleet
    sdk: Sdk

    @property
    def account(self) -> tuple[str, str]:
        """Resource group and name."""
        return _place(self.fleet.account)

    @property
    def workspace(self) -> tuple[str, str]:
        return _place(self.fleet.workspace)

    def documents(self, kind: str) -> list[Document]:
        return [each for each in self.fleet.documents if str(each["type"]).lower().endswith(f"/{kind.lower()}")]

    def name(self, kind: str) -> str:
        return str(self.documents(kind)[0]["name"])

    def machine(self, kind: str = "virtualMachines") -> tuple[str, str]:
        return _place(str(self.documents(kind)[0]["id"]))


def _place(resource_id: str) -> tuple[str, str]:
    parsed = ResourceId.parse(resource_id)
    return parsed.resource_group, parsed.name


def an_arc_machine(fleet: Fleet) -> Document:
    """Microsoft's own example of a machine outside Azure, moved into the fleet's subscription."""
    examples = SPECS / "Microsoft.HybridCompute/2024-07-10/examples"
    (file,) = examples.rglob("Machines_Get.json")
    body: Any = json.loads(file.read_text("utf-8"))["responses"]["200"]["body"]
    body["properties"]["status"] = "Connected"
    subscription = ResourceId.parse(fleet.account).subscription
    return {
        **body,
        "id": f"/subscriptions/{subscription}/resourceGroups/rg-arc/providers/Microsoft.HybridCompute/machines/arc-01",
        "name": "arc-01",
    }


def fleet_of(name: str) -> Fleet:
    Judge.load()  # the fleets need what lies beside it, too
    fleet = load_folder(shared("fleets/contoso")) if name == "contoso" else generate(30, 4)
    return dataclasses.replace(fleet, documents=[*fleet.documents, an_arc_machine(fleet)])


@contextlib.contextmanager
def azure_with(fleet: Fleet) -> Iterator[Azure]:
    with running(fleet, options=Options(page_size=5, retry_after=0)) as simulator:
        clients = sdk(simulator.url, ResourceId.parse(fleet.account).subscription)
        yield Azure(simulator=simulator, fleet=fleet, sdk=clients)


@pytest.fixture(params=["contoso", "generated"])
def azure(request: pytest.FixtureRequest) -> Iterator[Azure]:
    with azure_with(fleet_of(request.param)) as simulated:
        yield simulated


# What is asked. Each asks for something that is there, and for something that is not.


def account(azure: Azure) -> None:
    client = azure.sdk.automation
    client.automation_account.get(*azure.account)
    client.linked_workspace.get(*azure.account)
    list(client.usages.list_by_automation_account(*azure.account))
    list(client.statistics.list_by_automation_account(*azure.account))
    with pytest.raises(ResourceNotFoundError):
        client.automation_account.get(azure.account[0], "nobody")


def deployments(azure: Azure) -> None:
    client = azure.sdk.automation.software_update_configurations
    client.list(*azure.account)
    machine = str(azure.documents("virtualMachines")[0]["id"])
    within = f"properties/updateConfiguration/azureVirtualMachines/any(m: m eq '{machine}')"
    client.list(*azure.account, filter=within)
    with pytest.raises(HttpResponseError):
        client.list(*azure.account, filter="properties/nonsense or")
    for document in azure.documents("softwareUpdateConfigurations"):
        client.get_by_name(*azure.account, str(document["name"]))
    with pytest.raises(ResourceNotFoundError):
        client.get_by_name(*azure.account, "nobody")


def a_deployment_is_written(azure: Azure) -> None:
    client = azure.sdk.automation.software_update_configurations
    held: Any = client.get_by_name(*azure.account, _weekly(azure))
    held.properties.update_configuration.duration = timedelta(hours=3)
    held.properties.schedule_info.start_time = held.properties.schedule_info.next_run
    client.create(*azure.account, held.name, held)
    client.get_by_name(*azure.account, held.name)
    client.create(*azure.account, "Another", held)
    client.delete(*azure.account, "Another")
    client.delete(*azure.account, "Another")
    held.properties.schedule_info.start_time = azure.fleet.now
    with pytest.raises(HttpResponseError):
        client.create(*azure.account, held.name, held)


def _weekly(azure: Azure) -> str:
    for document in azure.documents("softwareUpdateConfigurations"):
        properties: Any = document["properties"]
        if (
            properties["scheduleInfo"]["frequency"] == "Week"
            and properties["updateConfiguration"]["duration"] == "PT2H"
        ):
            return str(document["name"])
    raise AssertionError("a fleet has a weekly deployment")


def runs(azure: Azure) -> None:
    client: Any = azure.sdk.automation
    for kind, group in (
        ("softwareUpdateConfigurationRuns", client.software_update_configuration_runs),
        ("softwareUpdateConfigurationMachineRuns", client.software_update_configuration_machine_runs),
    ):
        group.list(*azure.account)
        group.list(*azure.account, skip="5", top="3")
        group.list(*azure.account, filter="properties/status eq 'Failed'")
        group.get_by_id(*azure.account, azure.name(kind))
        with pytest.raises(ResourceNotFoundError):
            group.get_by_id(*azure.account, str(uuid.UUID(int=1)))


def runs_that_time_brings(azure: Azure) -> None:
    """The simulator's own runs, beside those of the fleet."""
    azure.simulator.advance(timedelta(days=8))
    client = azure.sdk.automation
    client.software_update_configuration_runs.list(*azure.account)
    client.software_update_configuration_machine_runs.list(*azure.account)


def workers(azure: Azure) -> None:
    client = azure.sdk.automation
    groups = list(client.hybrid_runbook_worker_group.list_by_automation_account(*azure.account))
    for group in groups:
        assert group.name
        client.hybrid_runbook_worker_group.get(*azure.account, group.name)
        for worker in client.hybrid_runbook_workers.list_by_hybrid_runbook_worker_group(*azure.account, group.name):
            assert worker.name
            client.hybrid_runbook_workers.get(*azure.account, group.name, worker.name)
    assert groups[0].name
    worker_id = azure.name("hybridRunbookWorkers")
    client.hybrid_runbook_workers.delete(*azure.account, groups[0].name, worker_id)
    client.hybrid_runbook_worker_group.delete(*azure.account, groups[0].name)
    with pytest.raises(ResourceNotFoundError):
        client.hybrid_runbook_worker_group.get(*azure.account, "nobody")


def jobs(azure: Azure) -> None:
    client = azure.sdk.automation.job
    list(client.list_by_automation_account(*azure.account))
    with pytest.raises(ResourceNotFoundError):
        client.get(*azure.account, "nobody")
    with pytest.raises(ResourceNotFoundError):
        client.get_output(*azure.account, "nobody")
    with pytest.raises(ResourceNotFoundError):
        list(azure.sdk.automation.job_stream.list_by_job(*azure.account, "nobody"))


def machines(azure: Azure) -> None:
    client: Any = azure.sdk.compute.virtual_machines
    for document in azure.documents("virtualMachines"):
        place = _place(str(document["id"]))
        client.get(*place)
        client.get(*place, expand="instanceView")
        client.instance_view(*place)
    list(client.list_all())
    list(client.list_all(status_only="true"))
    list(client.list(azure.machine()[0]))
    with pytest.raises(ResourceNotFoundError):
        client.get(azure.machine()[0], "nobody")


def machines_start_and_stop(azure: Azure) -> None:
    client: Any = azure.sdk.compute.virtual_machines
    for begin in (client.begin_power_off, client.begin_start, client.begin_restart, client.begin_deallocate,
                  client.begin_start):  # fmt: skip
        begin(*azure.machine(), **NO_WAITING).result()


def a_script_is_run(azure: Azure) -> None:
    client: Any = azure.sdk.compute.virtual_machines
    script = {"commandId": "RunPowerShellScript", "script": ["Get-Service HealthService"]}
    client.begin_run_command(*azure.machine(), script, **NO_WAITING).result()
    with pytest.raises(ResourceNotFoundError):
        client.begin_run_command(azure.machine()[0], "nobody", script, **NO_WAITING)


def run_commands(azure: Azure) -> None:
    client: Any = azure.sdk.compute.virtual_machine_run_commands
    command = {
        "location": "westeurope",
        "properties": {
            "source": {"script": "Get-Service HealthService"},
            "parameters": [{"name": "Days", "value": "3"}],
            "asyncExecution": True,
            "timeoutInSeconds": 600,
        },
    }
    place = (*azure.machine(), "look-1")
    client.begin_create_or_update(*place, command, **NO_WAITING).result()
    client.get_by_virtual_machine(*place)
    azure.simulator.advance(timedelta(minutes=5))
    client.get_by_virtual_machine(*place, expand="instanceView")
    list(client.list_by_virtual_machine(*azure.machine()))
    client.begin_delete(*place, **NO_WAITING).result()
    with pytest.raises(ResourceNotFoundError):
        client.get_by_virtual_machine(*place)


def arc_machines(azure: Azure) -> None:
    client: Any = azure.sdk.arc
    place = azure.machine("machines")
    client.machines.get(*place)
    list(client.machines.list_by_subscription())
    list(client.machines.list_by_resource_group(place[0]))
    command = {"location": "westeurope", "properties": {"source": {"script": "hostname"}, "asyncExecution": False}}
    client.machine_run_commands.begin_create_or_update(*place, "look-1", command, **NO_WAITING).result()
    client.machine_run_commands.get(*place, "look-1")
    list(client.machine_run_commands.list(*place))
    client.machine_run_commands.begin_delete(*place, "look-1", **NO_WAITING).result()
    with pytest.raises(ResourceNotFoundError):
        client.machines.get(place[0], "nobody")


def workspace(azure: Azure) -> None:
    client: Any = azure.sdk.log_analytics
    client.workspaces.get(*azure.workspace)
    client.workspaces.update(*azure.workspace, {"properties": {"workspaceCapping": {"dailyQuotaGb": 2.5}}})
    list(client.linked_services.list_by_workspace(*azure.workspace))
    client.linked_services.get(*azure.workspace, "Automation")
    with pytest.raises(ResourceNotFoundError):
        client.workspaces.get(azure.workspace[0], "nobody")


def saved_searches(azure: Azure) -> None:
    client: Any = azure.sdk.log_analytics.saved_searches
    name = azure.name("savedSearches")
    client.list_by_workspace(*azure.workspace)
    held = client.get(*azure.workspace, name)
    client.create_or_update(*azure.workspace, name, held)
    with pytest.raises(ResourceExistsError):
        client.create_or_update(*azure.workspace, name, held)
    client.delete(*azure.workspace, name)
    with pytest.raises(ResourceNotFoundError):
        client.get(*azure.workspace, name)


def solutions(azure: Azure) -> None:
    name = azure.workspace[1]
    home = azure.fleet.workspace.split("/providers/")[0]
    path = f"{home}/providers/Microsoft.OperationsManagement/solutions/Updates({name})"
    azure.sdk.resources.resources.get_by_id(path, api_version="2015-11-01-preview")


def providers(azure: Azure) -> None:
    client = azure.sdk.resources.providers
    list(client.list())
    client.get("Microsoft.Automation")
    for subscription in azure.fleet.subscriptions:
        other = sdk(azure.simulator.url, subscription)
        other.resources.providers.get("Microsoft.Automation")
        other.resources.providers.register("Microsoft.Automation")
        azure.sdk.recorder.exchanges += other.recorder.exchanges
    with pytest.raises(ResourceNotFoundError):
        client.get("Microsoft.Nothing")


def resource_graph(azure: Azure) -> None:
    client = azure.sdk.graph
    query = "resources | where type =~ 'microsoft.compute/virtualmachines' | project id, name | order by id asc"
    for form in ("objectArray", "table"):
        options: Any = QueryRequestOptions(top=5, result_format=form)
        asked = QueryRequest(subscriptions=list(azure.fleet.subscriptions), query=query, options=options)
        client.resources(asked)
    with pytest.raises(HttpResponseError):
        client.resources(QueryRequest(subscriptions=list(azure.fleet.subscriptions), query="resources | whither 1"))


def log_queries(azure: Azure) -> None:
    client, guid = azure.sdk.logs, azure.simulator.workspace_guid
    query = "Heartbeat | summarize arg_max(TimeGenerated, *) by SourceComputerId"
    client.query_workspace(guid, query, timespan=timedelta(days=1))
    client.query_workspace(guid, query, timespan=None, include_statistics=True, server_timeout=60)
    client.query_workspace(guid, "Update | where TimeGenerated < ago(999d)", timespan=None)
    with pytest.raises(HttpResponseError):
        client.query_workspace(guid, "Heartbeat | where Nobody == 1", timespan=None)
    with pytest.raises(HttpResponseError):
        client.query_workspace(str(uuid.UUID(int=1)), query, timespan=None)
    asked = [
        LogsBatchQuery(workspace_id=guid, query=text, timespan=timedelta(days=1))
        for text in ("Heartbeat | count", "UpdateSummary | take 2", "Heartbeat | where Nobody == 1")
    ]
    client.query_batch(asked)
    client.send_request(HttpRequest("GET", f"workspaces/{guid}/query", params={"query": "Heartbeat | count"}))


def a_partial_result(azure: Azure) -> None:
    azure.simulator.order({"kind": "partial"})
    query = "Heartbeat | summarize arg_max(TimeGenerated, *) by SourceComputerId"
    azure.sdk.logs.query_workspace(azure.simulator.workspace_guid, query, timespan=AN_HOUR)
    azure.simulator.clear_faults()


def throttling(azure: Azure) -> None:
    azure.simulator.order({"kind": "throttled", "retryAfter": 0})
    with pytest.raises(HttpResponseError):
        azure.sdk.compute.virtual_machines.get(*azure.machine())


ASKED: Final[tuple[Callable[[Azure], None], ...]] = (
    account,
    deployments,
    a_deployment_is_written,
    runs,
    runs_that_time_brings,
    workers,
    jobs,
    machines,
    machines_start_and_stop,
    a_script_is_run,
    run_commands,
    arc_machines,
    workspace,
    saved_searches,
    solutions,
    providers,
    resource_graph,
    log_queries,
    a_partial_result,
    throttling,
)


@pytest.mark.parametrize("ask", ASKED, ids=lambda ask: ask.__name__)
def test_every_answer_is_what_the_documents_say(azure: Azure, ask: Callable[[Azure], None]) -> None:
    judge = Judge.load()

    ask(azure)

    judged = [each for each in azure.sdk.recorder.exchanges if judge.knows(each.method, each.path)]
    problems = [
        f"{each}: {problem}"
        for each in judged
        for problem in judge.response(each.method, each.path, each.status, each.answered)
    ]
    assert judged
    assert problems == []


def test_every_operation_that_the_simulator_has_and_a_document_describes_is_asked() -> None:
    """Nothing that the simulated Azure serves escapes the judge, unless Microsoft's documents at hand are silent."""
    judge = Judge.load()
    with azure_with(fleet_of("generated")) as azure:
        for ask in ASKED:
            ask(azure)
        # The simulator's last resort, any resource by its id, would answer for every path.
        routes = [route for route in azure.simulator.server.app.router.routes if "rest" not in route.pattern.groupindex]

    served = {
        operation.name
        for operation in judge.operations
        for route in routes
        if route.method == operation.method.upper()
        and route.pattern.fullmatch(re.sub(r"\{[^}]*\}", "x", operation.template))
    }
    asked = {found.name for each in azure.sdk.recorder.exchanges
             if (found := judge.operation(each.method, each.path)) is not None}  # fmt: skip
    assert served - asked == set()
