"""Reading an estate: everything in a handful of requests, and what could not be read is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.estate import NOT_SUCCEEDED
from detectors import DETECTORS
from detectors.protocol import kql
from engine.ports import quiet
from model.documents import Document, at, list_at, text_at
from model.facts import ARC_MACHINE_TYPE, VIRTUAL_MACHINE_TYPE, PowerState, Reading
from model.times import parse_time
from simulator.fleet import load_folder
from simulator.fleets import generate
from simulator.options import Options
from tests.adapters.world import LOOKBACK, World, a_world
from tests.support.parts import shared

FLEET = generate(60, 3)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Never written to, so that all tests may look at the same one."""
    with a_world(FLEET, options=Options(page_size=7, graph_page_size=9)) as made:
        yield made


@pytest.fixture
def own() -> Iterator[World]:
    """One of the test's own, for ordering faults."""
    with a_world(FLEET) as made:
        yield made


def of_type(kind: str) -> list[Document]:
    return [document for document in FLEET.documents if str(document["type"]).lower() == kind.lower()]


def test_every_document_of_the_estate_is_read(world: World) -> None:
    """However small the pages: what is in the fleet is in the facts, under its lower-case id."""
    facts = world.facts()
    machines = [*of_type("Microsoft.Compute/virtualMachines"), *of_type("Microsoft.HybridCompute/machines")]
    account = "Microsoft.Automation/automationAccounts"
    assert facts.unreadable == {}
    assert set(facts.machines) == {str(d["id"]).lower() for d in machines}
    assert set(facts.deployments) == {str(d["id"]).lower() for d in of_type(f"{account}/softwareUpdateConfigurations")}
    assert {run.id for run in facts.runs} == {
        d["name"] for d in of_type(f"{account}/softwareUpdateConfigurationRuns") if _recent(d)
    }
    assert {run.id for run in facts.machine_runs} == {
        d["name"]
        for d in of_type(f"{account}/softwareUpdateConfigurationMachineRuns")
        if text_at(d, "properties.status") in NOT_SUCCEEDED and _recent(d)
    }
    searches = of_type("Microsoft.OperationalInsights/savedSearches")
    assert {search.arm_id for search in facts.saved_searches.values()} == {d["id"] for d in searches}
    assert [search.document for search in facts.saved_searches.values()] == searches
    users = {str(d["id"]) for d in of_type(f"{account}/hybridRunbookWorkerGroups") if _user(d)}
    assert {worker.group for worker in facts.user_workers} == {id_.rsplit("/", 1)[-1] for id_ in users}
    assert facts.workspace_guid == world.azure.workspace_guid
    assert facts.now == world.azure.now


def _recent(run: Document) -> bool:
    start = parse_time(at(run, "properties.startTime"))
    return start is not None and start >= FLEET.now - LOOKBACK


def _user(group: Document) -> bool:
    return text_at(group, "properties.groupType") == "User"


def test_a_machine_is_what_its_document_says(world: World) -> None:
    facts = world.facts(Reading.MACHINES)
    for document in of_type("Microsoft.Compute/virtualMachines"):
        machine = facts.machines[str(document["id"]).lower()]
        codes = [s["code"] for s in list_at(document, "properties.instanceView.statuses") if isinstance(s, dict)]
        assert machine.arm_id == document["id"]
        assert machine.vm_id == text_at(document, "properties.vmId").lower()
        assert machine.os == text_at(document, "properties.storageProfile.osDisk.osType")
        assert machine.tags == (document.get("tags") or {})
        assert not machine.is_arc
        assert (machine.power is PowerState.RUNNING) == ("PowerState/running" in codes)


def test_a_sweep_finds_what_is_wrong_and_none_of_the_decoys(world: World) -> None:
    found, _ = world.found()
    truth = FLEET.truth
    assert truth is not None
    wanted = {(text_at(f, "state"), text_at(f, "target")) for f in list_at(truth, "found") if isinstance(f, dict)}
    assert {(finding.state.value, finding.target) for finding in found} == wanted
    assert world.writes() == []


def test_the_estate_that_was_written_outside_the_project_is_swept_right() -> None:
    """Contoso: what its `expected.json` lists is found, and none of its decoys."""
    folder = shared("fleets/contoso")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with a_world(load_folder(folder)) as contoso:
        found, _ = contoso.found()
        # It says nothing of the states that it does not name.
        told = {(f.state.value, f.target) for f in found if f.state.value in expected["states"]}
        assert told == {(f["state"], f["target"]) for f in expected["found"]}
        spared = {(f["state"], f["target"]) for f in expected["notFound"]}
        assert not {(f.state.value, f.target) for f in found} & spared
        assert contoso.writes() == []


def test_requests_grow_with_pages_not_with_machines() -> None:
    """Five times the machines in as many requests, while all pages hold them and nobody made worker groups."""
    counts = []
    for machines in (150, 750):
        fleet = generate(machines, 5, injured=0)
        with a_world(fleet, options=Options(page_size=1000)) as world:
            world.facts()
            counts.append(world.estate.requests.read)
            assert counts[-1] == len(world.azure.requests())
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ({"path": "softwareUpdateConfigurations"}, Reading.DEPLOYMENTS),
        ({"path": "softwareUpdateConfigurationRuns"}, Reading.RUNS),
        ({"path": "softwareUpdateConfigurationMachineRuns", "nth": 4}, Reading.MACHINE_RUNS),
        ({"path": "hybridRunbookWorkerGroups"}, Reading.USER_WORKERS),
        ({"path": "savedSearches"}, Reading.SAVED_SEARCHES),
        ({"path": "linkedWorkspace"}, Reading.WORKSPACE),
        ({"path": "Microsoft.ResourceGraph"}, Reading.MACHINES),
    ],
    ids=lambda value: value if isinstance(value, Reading) else "",
)
def test_a_reading_that_fails_is_unreadable_and_the_others_are_there(
    own: World, fault: Document, lost: Reading
) -> None:
    """Its collection is empty rather than short, and the reason says which request it was."""
    own.azure.order({"kind": "error", "status": 403, "code": "AuthorizationFailed", **fault})
    facts = own.facts()
    # Three readings are asked of Resource Graph, and two of the worker groups' list.
    twins = {Reading.MACHINES: {Reading.AGENTS, Reading.CONTAINERS}, Reading.USER_WORKERS: {Reading.SYSTEM_GROUPS}}
    assert set(facts.unreadable) == {lost} | twins.get(lost, set())
    assert "403 AuthorizationFailed" in facts.unreadable[lost].what
    collections = {
        Reading.MACHINES: facts.machines,
        Reading.DEPLOYMENTS: facts.deployments,
        Reading.RUNS: facts.runs,
        Reading.MACHINE_RUNS: facts.machine_runs,
        Reading.USER_WORKERS: facts.user_workers,
        Reading.SAVED_SEARCHES: facts.saved_searches,
        Reading.WORKSPACE: facts.log_workspace,
    }
    assert {reading for reading, read in collections.items() if not read} == {lost}


def test_the_groups_of_machines_come_with_those_of_people_in_one_list() -> None:
    """Whose a group is stands in its name; the list is asked for once, and no machine's group is looked into."""
    with a_world(FLEET, options=Options(page_size=7)) as world:
        facts = world.facts(Reading.USER_WORKERS, Reading.SYSTEM_GROUPS)
        groups = [g for g in world.azure.requests() if str(g["path"]).lower().endswith("/hybridrunbookworkergroups")]
    documents = of_type("Microsoft.Automation/automationAccounts/hybridRunbookWorkerGroups")
    mine = [document for document in documents if not _user(document)]
    assert {group.name for group in facts.system_groups.values()} == {text_at(d, "name") for d in mine}
    for group in facts.system_groups.values():
        assert group.name.lower() == f"{group.computer}_{group.source_computer_id}"
    assert len(groups) == -(-len(documents) // 7)


def test_jobs_are_asked_for_only_around_runs_that_failed_to_start(own: World) -> None:
    facts = own.facts(Reading.RUNS, Reading.MACHINE_RUNS, Reading.JOBS)
    failed = {part.run for part in facts.machine_runs if part.status == "failedtostart"}
    asked = [request for request in own.azure.requests() if str(request["path"]).lower().endswith("/jobs")]
    assert facts.jobs.keys() == failed
    # And three lists of those that have not ended.
    assert len(asked) == len(failed) + 3


def test_where_all_machines_started_nobody_asks_for_jobs() -> None:
    started = [d for d in FLEET.documents if text_at(d, "properties.status") != "FailedToStart"]
    with a_world(replace(FLEET, documents=started)) as world:
        world.facts(Reading.RUNS, Reading.MACHINE_RUNS, Reading.JOBS)
        assert not [r for r in world.azure.requests() if str(r["path"]).lower().endswith("/jobs")]


def test_a_truncated_inventory_is_unreadable(own: World) -> None:
    own.azure.order({"kind": "truncated"})
    facts = own.facts(Reading.MACHINES)
    assert facts.machines == {}
    assert Reading.MACHINES in facts.unreadable


def test_a_partial_query_is_unreadable_under_its_name(own: World) -> None:
    own.azure.order({"kind": "partial", "query": "UpdateRunProgress"})
    facts = own.facts()
    queries = {name for detector in DETECTORS for name in detector.queries}
    partial = {name for name in queries if "UpdateRunProgress" in kql(name)}
    assert set(facts.unreadable) == partial
    assert set(facts.rows) == queries - partial


def test_without_the_workspace_there_are_no_logs(own: World) -> None:
    own.azure.order({"kind": "error", "status": 403, "code": "AuthorizationFailed", "path": r"workspaces/[^/?]+\?"})
    facts = own.facts()
    assert facts.workspace_guid == ""
    assert facts.rows == {}
    queries = {name for detector in DETECTORS for name in detector.queries}
    assert set(facts.unreadable) == {"workspace", Reading.WORKSPACE, *queries}


def test_one_subscription_that_may_not_be_read_is_unknown_alone(own: World) -> None:
    subscription = own.fleet.subscriptions[1]
    own.azure.order({"kind": "error", "status": 403, "path": f"{subscription}/providers/Microsoft.Automation"})
    facts = own.facts(Reading.PROVIDERS)
    assert set(facts.unreadable) == {f"provider:{subscription}/microsoft.automation"}
    assert {key[0] for key in facts.providers} == {s for s in own.fleet.subscriptions if s != subscription}


def test_subscriptions_that_dynamic_queries_name_are_asked_for_the_provider_too(own: World) -> None:
    """They need not be in scope: the deployment reaches into them all the same."""
    outside = "99999999-0000-0000-0000-000000000000"
    deployment = next(d for d in own.fleet.documents if str(d["type"]).endswith("softwareUpdateConfigurations"))
    document = json.loads(json.dumps(deployment).replace(text_at(deployment, "name"), "Elsewhere"))
    document["properties"]["updateConfiguration"]["targets"] = {
        "azureQueries": [{"scope": [f"/subscriptions/{outside}/resourceGroups/g"], "locations": None}]
    }
    fleet = generate(60, 3)
    fleet.documents.append(document)
    with a_world(fleet) as world:
        facts = world.facts(Reading.DEPLOYMENTS, Reading.PROVIDERS)
        asked = {key[0] for key in facts.providers} | {name.split(":")[-1].split("/")[0] for name in facts.unreadable}
        assert outside in asked
        alone = world.facts(Reading.PROVIDERS)
        assert {key[0] for key in alone.providers} == set(fleet.subscriptions)


def test_a_throttled_sweep_reads_everything_in_the_end(own: World) -> None:
    """Each address refuses three times, as often as a request is repeated, whichever of its requests are hit."""
    plain = own.facts()
    addresses = {re.escape(text_at(request, "path")) for request in own.azure.requests()}
    for address in addresses:
        own.azure.order({"kind": "throttled", "retryAfter": 0, "path": f"^{address}(?:$|[?])", "times": 3})
    again = own.facts()
    assert again.unreadable == {}
    assert again.machines == plain.machines
    assert [request["status"] for request in own.azure.requests()].count(429) == 3 * len(addresses) > 0


def test_a_closer_look_brings_whole_documents(world: World) -> None:
    """A deployment with its schedule, a machine with its instance view; what does not exist is left out."""
    facts = world.facts()
    deployment, machine = min(facts.deployments), min(facts.machines)
    gone = f"{facts.account}/softwareupdateconfigurations/gone"
    closer = world.estate.look_closer(facts, frozenset({deployment, machine, gone}))
    assert set(closer.documents) == {deployment, machine}
    assert at(closer.documents[deployment], "properties.scheduleInfo.frequency")
    assert list_at(closer.documents[machine], "properties.instanceView.statuses")
    assert closer.unreadable == {}
    assert closer.machines == facts.machines


def test_what_cannot_be_looked_at_is_unreadable_under_its_id(own: World) -> None:
    """A 403 is no 404: the thing may well be there. Text that is no id is not sent anywhere."""
    facts = own.facts(Reading.DEPLOYMENTS)
    deployment = min(facts.deployments)
    own.azure.order(
        {"kind": "error", "status": 403, "code": "AuthorizationFailed", "path": "softwareUpdateConfigurations/"}
    )
    sent = len(own.azure.requests())
    odd = frozenset({"not an id", "/subscriptions/s/../t", "/subscriptions/s/providers/Microsoft.Unheard/of/it"})
    closer = own.estate.look_closer(facts, odd | {deployment})
    assert set(closer.unreadable) == odd | {deployment}
    assert closer.documents == {}
    assert len(own.azure.requests()) == sent + 1


def test_a_second_look_replaces_the_first(own: World) -> None:
    """What became readable is not unreadable any more, and what went away is not remembered."""
    facts = own.facts(Reading.DEPLOYMENTS)
    deployment = min(facts.deployments)
    own.azure.order({"kind": "error", "status": 500, "path": "softwareUpdateConfigurations/", "times": 4})
    first = own.estate.look_closer(facts, frozenset({deployment}))
    assert set(first.unreadable) == {deployment}
    own.azure.clear_faults()
    second = own.estate.look_closer(first, frozenset({deployment}))
    assert set(second.documents) == {deployment}
    assert second.unreadable == {}


def test_a_person_is_told_what_is_being_read(world: World) -> None:
    told: list[str] = []
    world.estate.read(frozenset({Reading.MACHINES, Reading.PROVIDERS}), {"beats": "Heartbeat | take 1"}, told.append)
    assert set(told) == {"logs", "machines", "providers"}


def test_reading_nothing_sends_nothing(own: World) -> None:
    before = len(own.azure.requests())
    own.estate.read(frozenset(), {}, quiet)
    assert len(own.azure.requests()) == before


class TestTheWorkspace:
    def test_it_is_what_its_documents_say(self, world: World) -> None:
        facts = world.facts(Reading.WORKSPACE)

        workspace = facts.log_workspace
        assert workspace is not None
        assert workspace.arm_id == FLEET.workspace
        assert (workspace.ingestion, workspace.daily_quota_gb) == ("respectquota", -1.0)
        assert workspace.account_links_to == FLEET.workspace.lower()
        assert workspace.linked_account == FLEET.account.lower()
        assert (workspace.has_solution, workspace.pack_enabled) == (True, True)

    @pytest.mark.parametrize(
        ("left_out", "field", "value"),
        [
            ("/linkedWorkspace", "account_links_to", ""),
            ("/linkedServices/Automation", "linked_account", ""),
            ("/solutions/Updates(", "has_solution", False),
            ("/intelligencePacks/Updates", "pack_enabled", False),
        ],
    )
    def test_what_is_not_there_is_absent_and_not_unreadable(self, left_out: str, field: str, value: object) -> None:
        documents = [document for document in FLEET.documents if left_out not in str(document["id"])]
        with a_world(replace(FLEET, documents=documents)) as made:
            facts = made.facts(Reading.WORKSPACE)

        assert facts.unreadable == {}
        assert getattr(facts.log_workspace, field) == value


def test_agents_are_read_from_resource_graph_in_pages() -> None:
    """Other extensions are none; on an Arc machine it is one all the same."""
    vm, arc = FLEET.documents[0], "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"
    kinds = {str(vm["id"]): VIRTUAL_MACHINE_TYPE, arc.format(FLEET.subscriptions[0]): ARC_MACHINE_TYPE}
    extensions: list[Document] = [
        {
            "id": f"{machine}/extensions/{kind}",
            "name": kind,
            "type": f"{kinds[machine]}/extensions",
            "properties": {"publisher": publisher, "type": kind, "settings": {"workspaceId": "AAAA"}},
        }
        for machine in kinds
        for publisher, kind in (
            ("Microsoft.EnterpriseCloud.Monitoring", "OmsAgentForLinux"),
            ("microsoft.enterprisecloud.monitoring", "MicrosoftMonitoringAgent"),
            ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent"),
        )
    ]
    with a_world(replace(FLEET, documents=[*FLEET.documents, *extensions]), options=Options(graph_page_size=1)) as made:
        facts = made.facts(Reading.AGENTS)

    assert facts.unreadable == {}
    assert {(agent.machine_id, agent.kind, agent.workspace_guid) for agent in facts.agents} == {
        (machine.lower(), kind, "aaaa")
        for machine in kinds
        for kind in ("OmsAgentForLinux", "MicrosoftMonitoringAgent")
    }
