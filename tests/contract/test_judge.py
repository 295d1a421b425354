"""The judge itself is judged first: by Microsoft's own examples, by recorded traffic, and by bodies that are wrong."""

from __future__ import annotations

import copy
import json
import posixpath
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.contract.openapi import BASE, SPECS, Judge, Operation

ACCOUNT = "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.Automation/automationAccounts/a".format(
    "00000000-0000-0000-0000-000000000001"
)
AUTOMATION = "api-version=2024-10-23"
DEPLOYMENT = f"{ACCOUNT}/softwareUpdateConfigurations/weekly?{AUTOMATION}"
SPECIMENS = "Microsoft.Automation/2024-10-23/examples"

UPSTREAM_FAULTS = {
    ("2023-09-01/examples/SavedSearchesListByWorkspace.json", "200"): "a bare list instead of an object",
    ("2025-07-01/examples/SavedSearchesListByWorkspace.json", "200"): "property names in capitals",
    ("data-plane/v1/examples/oms-get-example.json", "200"): "null cells where the v1 text says string",
    ("data-plane/v1/examples/oms-post-example.json", "200"): "null cells where the v1 text says string",
}
"""Official examples that break their own documents, and how."""

JUDGED = 199
"""Bodies in the official examples that a document refers to and that are at hand: requests and answers."""


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


class Exchange(NamedTuple):
    example: str
    operation: Operation
    path: str
    request: Any
    answers: dict[str, Any]


def examples(judge: Judge) -> Iterator[Exchange]:
    """Every official example that is at hand, as the requests and answers that it stands for."""
    at_hand = {each["source_path"]: each["path"] for each in judge.manifest["files"] if each["kind"] == "example"}
    for operation in judge.operations:
        home = posixpath.dirname(operation.uri.removeprefix(BASE))
        for reference in operation.body.get("x-ms-examples", {}).values():
            source = posixpath.normpath(posixpath.join(home, reference["$ref"]))
            if source not in at_hand:
                continue
            example = json.loads((SPECS / at_hand[source]).read_text("utf-8"))
            body = next((each["name"] for each in operation.parameters if each["in"] == "body"), "")
            yield Exchange(
                at_hand[source],
                operation,
                path_of(operation, example["parameters"]),
                example["parameters"].get(body),
                {status: answer.get("body") for status, answer in example["responses"].items()},
            )


def path_of(operation: Operation, values: dict[str, Any]) -> str:
    kinds = {each["name"]: each for each in operation.parameters}

    def placed(found: re.Match[str]) -> str:
        text = str(values[found[1]])
        return text.strip("/") if kinds[found[1]].get("x-ms-skip-url-encoding") else urllib.parse.quote(text, safe="")

    query = {
        name: ",".join(values[name]) if isinstance(values[name], list) else str(values[name])
        for name, kind in kinds.items()
        if kind["in"] == "query" and name in values
    }
    return re.sub(r"\{([^}]*)\}", placed, operation.template) + "?" + urllib.parse.urlencode(query)


def test_official_examples_fit_save_those_with_known_faults(judge: Judge) -> None:
    """Each example's request and answers fit the document that refers to it; four answers are faults upstream."""
    faulty, judged = {}, 0
    for each in examples(judge):
        method, within = each.operation.method, each.operation.uri
        problems = judge.request(method, each.path, each.request, within=within)
        judged += each.request is not None
        assert problems == [], (each.example, each.operation.name)
        for status, body in each.answers.items():
            judged += 1
            if problems := judge.response(method, each.path, int(status), body, within=within):
                faulty[each.example, status] = problems

    assert {(example.split("/", 1)[1], status) for example, status in faulty} == set(UPSTREAM_FAULTS)
    assert judged == JUDGED


def test_an_official_examples_path_leads_to_its_own_operation(judge: Judge) -> None:
    for each in examples(judge):
        assert judge.operation(each.operation.method, each.path, within=each.operation.uri) is each.operation


def test_recorded_traffic_of_the_live_service_fits_save_for_one_shape_of_long_ago(judge: Judge) -> None:
    """Microsoft's own recordings: requests all fit; one worker group is in the shape used before June 2021."""
    unfit = []
    for file in sorted((SPECS / "recordings").rglob("*.json")):
        for entry in json.loads(file.read_text("utf-8-sig"))["Entries"]:
            method, path = entry["RequestMethod"], entry["RequestUri"]
            sent, answered = (json.loads(entry[key]) if entry[key] else None for key in ("RequestBody", "ResponseBody"))
            assert judge.request(method, path, sent) == []
            if judge.response(method, path, entry["StatusCode"], answered):
                unfit.append((method, path.split("?")[0].split("/")[-2], entry["StatusCode"]))

    assert unfit == [("GET", "hybridRunbookWorkerGroups", 200)]


def specimen(name: str, status: str = "200") -> Any:
    """The body of an official answer."""
    return json.loads((SPECS / SPECIMENS / name).read_text("utf-8"))["responses"][status]["body"]


def changed(body: Any, path: str, value: Any) -> Any:
    """A copy with one value put in, or taken out where `value` is `...`."""
    copied = copy.deepcopy(body)
    *way, last = path.split(".")
    here = copied
    for key in way:
        here = here[int(key)] if key.isdigit() else here[key]
    if value is ...:
        del here[last]
    else:
        here[last] = value
    return copied


A_DEPLOYMENT = {
    "properties": {
        "updateConfiguration": {
            "operatingSystem": "Windows",
            "duration": "PT2H",
            "windows": {"includedUpdateClassifications": "Critical, Security", "rebootSetting": "IfRequired"},
            "azureVirtualMachines": ["/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v"],
        },
        "scheduleInfo": {"frequency": "Week", "interval": 1, "startTime": "2026-03-13T06:00:00.0000000+00:00"},
    }
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.updateConfiguration.duration", "PT03H00M00S"),
        ("properties.updateConfiguration.linux", None),
        ("properties.updateConfiguration.operatingSystem", "windows"),
        ("properties.updateConfiguration.windows.includedUpdateClassifications", "security,critical"),
        ("properties.scheduleInfo.startTime", "2026-03-13T06:00:00Z"),
    ],
)
def test_what_azure_itself_sends_is_right(judge: Judge, path: str, value: Any) -> None:
    """Explicit nulls, enums in any case, several flags in one string, seconds with seven digits or none."""
    assert judge.request("PUT", DEPLOYMENT, changed(A_DEPLOYMENT, path, value)) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("properties.updateConfiguration", ..., "'updateConfiguration' is a required property"),
        ("properties.updateConfiguration", None, "properties.updateConfiguration: None is not of type 'object'"),
        ("properties.updateConfiguration.duration", "3 hours", "duration: '3 hours' is not a 'duration'"),
        ("properties.updateConfiguration.duration", "PT", "duration: 'PT' is not a 'duration'"),
        ("properties.updateConfiguration.duration", 120, "duration: 120 is not of type 'string'"),
        ("properties.updateConfiguration.operatingSystem", "MacOS", "operatingSystem: 'MacOS' is not one of"),
        ("properties.updateConfiguration.operatingSystem", ..., "'operatingSystem' is a required property"),
        ("properties.updateConfiguration.azureVirtualMachines", "web-01", "'web-01' is not of type 'array'"),
        ("properties.updateConfiguration.azureVirtualMachine", [], "azureVirtualMachine: nobody names this"),
        ("properties.update_configuration", {}, "properties.update_configuration: nobody names this"),
        ("properties.scheduleInfo.startTime", "2026-03-13T06:00:00", "startTime: '2026-03-13T06:00:00' is not a"),
        ("properties.scheduleInfo.interval", "1", "interval: '1' is not of type 'integer'"),
        ("properties.scheduleInfo", [], "properties.scheduleInfo: [] is not"),
    ],
)
def test_a_wrong_request_is_caught_and_the_place_is_named(judge: Judge, path: str, value: Any, says: str) -> None:
    problems = judge.request("PUT", DEPLOYMENT, changed(A_DEPLOYMENT, path, value))

    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("properties.startTime", "yesterday", "is not a 'date-time'"),
        ("properties.correlationId", "1234", "is not a 'uuid'"),
        ("properties.status", 7, "is not of type 'string'"),
        ("properties.job", "a job", "is not"),
        ("properties.state", "Succeeded", "properties.state: nobody names this"),
    ],
)
def test_a_wrong_answer_is_caught(judge: Judge, path: str, value: Any, says: str) -> None:
    run = f"{ACCOUNT}/softwareUpdateConfigurationMachineRuns/ca440719-34a4-4234-a1a9-3f84faf7788f?{AUTOMATION}"
    right = specimen("softwareUpdateConfigurationMachineRun/getSoftwareUpdateConfigurationMachineRunById.json")

    assert judge.response("GET", run, 200, right) == []
    problems = judge.response("GET", run, 200, changed(right, path, value))
    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("GET", f"{ACCOUNT}/softwareUpdateConfigurations", None, "?api-version: is missing"),
        ("GET", f"{ACCOUNT}/softwareUpdateConfigurations?{AUTOMATION}&top=5", None, "?top: "),
        ("GET", DEPLOYMENT, {}, "body: this operation takes none"),
        ("PUT", DEPLOYMENT, None, "body: is missing"),
        ("POST", DEPLOYMENT, {}, "no document describes this request"),
        ("GET", f"{ACCOUNT}/softwareUpdateConfigurationRuns/not-a-guid?{AUTOMATION}", None, "is not a 'uuid'"),
        ("GET", f"/subscriptions/s/nowhere?{AUTOMATION}", None, "no document describes this request"),
    ],
)
def test_a_wrong_address_is_caught(judge: Judge, method: str, path: str, body: Any, says: str) -> None:
    problems = judge.request(method, path, body)

    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, None, "body: is missing"),
        (200, [], "is not of type 'object'"),
        (418, {"code": "Teapot"}, ""),
        (302, None, "status 302"),
        (404, {"error": {"code": "NotFound", "message": "gone"}}, "error: nobody names this property"),
    ],
)
def test_statuses_and_error_bodies_are_judged_too(judge: Judge, status: int, body: Any, says: str) -> None:
    """Automation's errors are flat: `code` and `message` without an `error` around them."""
    problems = judge.response("GET", DEPLOYMENT, status, body)

    assert any(says in problem for problem in problems) if says else problems == []


def test_addresses_are_recognised_in_any_case_and_by_what_they_spell_out(judge: Judge) -> None:
    """`/{resourceId}/query` matches nearly every path; the more literal one is meant."""
    assert judge.knows("GET", DEPLOYMENT.upper().replace("API-VERSION", "api-version"))
    assert judge.knows("POST", "/v1/$batch")
    workspace = judge.operation("POST", "/v1/workspaces/00000000-0000-0000-0000-000000000001/query")
    assert workspace is not None
    assert workspace.template == "/v1/workspaces/{workspaceId}/query"
    assert not judge.knows("GET", "/_simulator/truth")


def test_a_resource_of_any_type_is_known_by_its_id_and_a_list_of_them_is_not(judge: Judge) -> None:
    """Resource Manager gets whatever has an id; the id's types and names come in pairs."""
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w"

    assert judge.knows("GET", f"{workspace}/anything/by-name?api-version=2020-01-01")
    assert not judge.knows("GET", f"{workspace}/intelligencePacks?api-version=2025-07-01")
    place = "/subscriptions/s/providers/Microsoft.Compute/locations/westeurope"
    assert not judge.knows("GET", f"{place}/operations/1?api-version=2024-07-01")


def test_the_newest_document_answers_for_an_api_version_that_is_not_at_hand(judge: Judge) -> None:
    vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v?api-version="
    exact = judge.operation("GET", f"{ACCOUNT}/softwareUpdateConfigurations?api-version=2023-05-15-preview")
    newer = judge.operation("GET", vm + "2026-04-01")

    assert exact is not None
    assert newer is not None
    assert (exact.version, newer.version) == ("2023-05-15-preview", "2024-07-01")
