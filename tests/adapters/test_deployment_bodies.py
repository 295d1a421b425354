"""When two bodies of a deployment say the same to Azure, and what may be sent back."""

from __future__ import annotations

import copy
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.deployments import SERVER_OWNED, body_to_put, has_targets, same_deployment
from model.documents import Document, Json, at
from simulator.fleets import generate

BODY: Document = {
    "id": "/subscriptions/s/x",
    "name": "Weekly",
    "type": None,
    "properties": {
        "updateConfiguration": {
            "operatingSystem": "Windows",
            "duration": "PT2H",
            "windows": {"includedUpdateClassifications": "Critical, Security", "rebootSetting": "IfRequired"},
            "linux": None,
            "azureVirtualMachines": ["/subscriptions/S/a", "/subscriptions/S/b"],
            "nonAzureComputerNames": [],
            "targets": {
                "azureQueries": [
                    {"scope": ["/subscriptions/S"], "tagSettings": {"tags": {"env": ["Prod"]}, "filterOperator": "All"}}
                ]
            },
        },
        "scheduleInfo": {
            "startTime": "2026-03-13T06:00:00+00:00",
            "isEnabled": True,
            "interval": 1,
            "expiryTime": "9999-12-31T23:59:59.9999999+00:00",
            "frequency": "Week",
            "timeZone": "Etc/UTC",
            "nextRun": "2026-03-13T06:00:00+00:00",
        },
        "provisioningState": "Succeeded",
        "unheardOf": {"kept": [1, {"as": "it is"}]},
    },
}
CONFIGURATION = "properties.updateConfiguration"
SCHEDULE = "properties.scheduleInfo"


def put(path: str, value: Json) -> Document:
    """The body with one field replaced."""
    body = copy.deepcopy(BODY)
    *way, last = path.split(".")
    here = body
    for part in way:
        here = cast("Document", here[part])
    here[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{CONFIGURATION}.azureVirtualMachines", ["/subscriptions/s/B", "/subscriptions/s/A"]),
        (f"{CONFIGURATION}.duration", "PT02H00M00S"),
        (f"{CONFIGURATION}.operatingSystem", "windows"),
        (f"{CONFIGURATION}.windows.includedUpdateClassifications", "Security,Critical"),
        (f"{CONFIGURATION}.nonAzureComputerNames", None),
        (f"{CONFIGURATION}.linux", {}),
        (f"{CONFIGURATION}.windows.excludedKbNumbers", []),
        (f"{SCHEDULE}.startTime", "2026-03-13T07:00:42.1234567+01:00"),
        (f"{SCHEDULE}.expiryTime", "9999-12-31T23:59:00-08:00"),
        (f"{SCHEDULE}.nextRun", "2027-01-01T00:00:00+00:00"),
        (f"{SCHEDULE}.advancedSchedule", None),
        (f"{SCHEDULE}.description", ""),
        ("properties.provisioningState", "Provisioning"),
        ("properties.lastModifiedTime", "2026-01-01T00:00:00Z"),
        ("properties.error", {"code": "x"}),
        ("type", "Microsoft.Automation/x"),
    ],
)
def test_bodies_that_say_the_same(path: str, value: Json) -> None:
    """Order, case, spelling of times and lengths, nulls, and whatever the service writes itself."""
    assert same_deployment(BODY, put(path, value)) is None
    assert same_deployment(put(path, value), BODY) is None


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (f"{CONFIGURATION}.azureVirtualMachines", ["/subscriptions/s/a"], f"{CONFIGURATION}.azureVirtualMachines"),
        (f"{CONFIGURATION}.azureVirtualMachines", None, f"{CONFIGURATION}.azureVirtualMachines"),
        (f"{CONFIGURATION}.duration", "PT2H30M", f"{CONFIGURATION}.duration"),
        (f"{CONFIGURATION}.duration", None, f"{CONFIGURATION}.duration"),
        (f"{CONFIGURATION}.linux", {"rebootSetting": "Never"}, f"{CONFIGURATION}.linux.rebootSetting"),
        (f"{CONFIGURATION}.windows", "text", f"{CONFIGURATION}.windows"),
        (f"{SCHEDULE}.startTime", "2026-03-13T06:01:00+00:00", f"{SCHEDULE}.startTime"),
        (f"{SCHEDULE}.expiryTime", "2026-12-31T23:59:00+00:00", f"{SCHEDULE}.expiryTime"),
        (f"{SCHEDULE}.isEnabled", False, f"{SCHEDULE}.isEnabled"),
        (f"{SCHEDULE}.isEnabled", 1, f"{SCHEDULE}.isEnabled"),
        (f"{SCHEDULE}.interval", 2, f"{SCHEDULE}.interval"),
        (f"{SCHEDULE}.description", "new", f"{SCHEDULE}.description"),
        (f"{CONFIGURATION}.targets.azureQueries", [], f"{CONFIGURATION}.targets.azureQueries"),
        (
            f"{CONFIGURATION}.targets.azureQueries",
            [{"scope": ["/subscriptions/S"], "tagSettings": {"tags": {"env": ["prod"]}, "filterOperator": "All"}}],
            f"{CONFIGURATION}.targets.azureQueries[0].tagSettings.tags.env",
        ),
        ("properties.unheardOf.kept", [1], "properties.unheardOf.kept"),
    ],
)
def test_bodies_that_differ_name_the_field(path: str, value: Json, field: str) -> None:
    change = same_deployment(BODY, put(path, value))
    assert change is not None
    assert change.field == field
    assert same_deployment(put(path, value), BODY) is not None


def test_what_is_sent_back_is_all_that_was_read_but_for_what_the_service_owns() -> None:
    body = body_to_put(BODY)
    for path in SERVER_OWNED:
        assert at(body, path) is None
    assert at(body, "properties.unheardOf") == {"kept": [1, {"as": "it is"}]}
    assert at(body, CONFIGURATION) == at(BODY, CONFIGURATION)
    cast("dict[str, Document]", body["properties"])["updateConfiguration"]["duration"] = "PT6H"
    assert at(BODY, f"{CONFIGURATION}.duration") == "PT2H"


@pytest.mark.parametrize("empty", [None, [], {}])
def test_a_deployment_that_names_nothing_has_no_targets(empty: Json) -> None:
    without = put(f"{CONFIGURATION}.azureVirtualMachines", empty)
    assert has_targets(without)
    cast("dict[str, Document]", without["properties"])["updateConfiguration"]["targets"] = empty
    assert not has_targets(without)


DEPLOYMENTS = [d for d in generate(60, 7).documents if str(d["type"]).endswith("softwareUpdateConfigurations")]


@given(st.sampled_from(DEPLOYMENTS), st.sampled_from(DEPLOYMENTS))
def test_a_deployment_is_the_same_as_itself_and_sameness_goes_both_ways(one: Document, other: Document) -> None:
    assert same_deployment(one, body_to_put(one)) is None
    assert (same_deployment(one, other) is None) == (same_deployment(other, one) is None)


json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4), st.dictionaries(st.text(max_size=5), json_values))
def test_any_two_documents_can_be_compared(one: dict[str, Json], other: dict[str, Json]) -> None:
    """Whatever Azure or somebody else put into them."""
    assert same_deployment(one, copy.deepcopy(one)) is None
    assert (same_deployment(one, other) is None) == (same_deployment(other, one) is None)
