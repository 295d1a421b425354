"""What an alert means: which machines and states a sweep is narrowed to, and never widened beyond the scope."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.requests import MOST_NAMED, InvalidRequest, SweepRequest, machines_in
from engine.settings import Settings
from model.documents import Document, Json
from model.resource_ids import subscription_of
from model.states import FailureState
from tests.support.parts import shared
from tests.triggers.payloads import SAMPLES, an_alert, read, samples
from triggers.alert_schema import alert_in, machines_of, states_of

OURS: Final = "11111111-2222-4333-8444-555555555555"
THEIRS: Final = "99999999-2222-4333-8444-555555555555"
GROUP: Final = f"/subscriptions/{OURS}/resourceGroups/RG-Web"
ACCOUNT: Final = f"{GROUP}/providers/Microsoft.Automation/automationAccounts/AA"
WORKSPACE: Final = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/LAW"
VM: Final = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/Web-01"
ARC: Final = f"{GROUP}/providers/Microsoft.HybridCompute/machines/Arc-01"
DEPLOYMENT: Final = f"{ACCOUNT}/softwareUpdateConfigurations/Weekly"
SETTINGS: Final = Settings(subscriptions=(OURS,), account=ACCOUNT, workspace=WORKSPACE)


def machines(body: Document) -> tuple[str, ...]:
    return machines_of(alert_in(body), SETTINGS)


@pytest.mark.parametrize(
    ("target", "selected"),
    [
        (VM, VM),
        (ARC, ARC),
        (f"{VM}/extensions/MMA", VM),  # what is part of a machine is about the machine
        (VM.upper(), VM),
        (VM.replace("resourceGroups", "resourcegroups"), VM),
        (f"{VM}/", VM),
        (WORKSPACE, WORKSPACE),
        (ACCOUNT, ACCOUNT),
        (DEPLOYMENT, DEPLOYMENT),
        (f"{ACCOUNT}/jobs/1", ACCOUNT),
        (GROUP, GROUP),
        (f"/subscriptions/{OURS}", f"/subscriptions/{OURS}"),
        # What patching is not about selects nothing, not everything around it.
        (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/st", None),
        (f"{GROUP}/providers/Microsoft.Insights/components/ai", None),
        (f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/another", None),
        # Out of scope, or no id at all.
        (VM.replace(OURS, THEIRS), None),
        (f"/subscriptions/{THEIRS}", None),
        ("web-01", None),
        ("", None),
        ("/", None),
        ("/subscriptions", None),
        (f"/subscriptions/{OURS}/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines", None),
        (f"{VM}\n/subscriptions/{OURS}", None),
    ],
)
def test_an_alert_is_about_its_target(target: str, selected: str | None) -> None:
    """As far as the target is one that a sweep can be narrowed to, and lies in the configured scope."""
    assert machines(an_alert(target)) == (() if selected is None else (selected.lower(),))


@pytest.mark.parametrize(
    ("dimensions", "selected"),
    [
        ({"Computer": "Web-01.contoso.com"}, ["name:web-01.contoso.com"]),
        ({"_ResourceId": VM}, [VM]),
        ({"Computer": "web-01", "_ResourceId": VM}, [VM]),  # an identity, where there is one, and no name
        ({"TargetComputer": VM}, [VM]),
        ({"TargetComputer": "web-01"}, ["name:web-01"]),
        ({"SoftwareUpdateConfigurationName": "Weekly"}, [DEPLOYMENT]),
        ({"SoftwareUpdateConfigurationName": "Weekly", "TargetComputer": VM}, [DEPLOYMENT, VM]),
        ({"ResourceId": "3efad9dc-3d50-4eac-9c87-8b3fd6f97e4e"}, [WORKSPACE]),  # metric alerts write a GUID there
        ({"_ResourceId": VM.replace(OURS, THEIRS)}, [WORKSPACE]),
        ({"Computer": "*"}, [WORKSPACE]),
        ({"Computer": " "}, [WORKSPACE]),
        ({"IP": "10.0.0.1"}, [WORKSPACE]),
    ],
)
def test_dimensions_narrow_the_target_down(dimensions: dict[str, str], selected: list[str]) -> None:
    """A log alert's target is the workspace; what it fired for is in its dimensions."""
    assert set(machines(an_alert(WORKSPACE, dimensions=dimensions))) == {one.lower() for one in selected}


def test_dimensions_do_not_bring_an_alert_from_elsewhere_into_scope() -> None:
    """A name from somebody else's workspace is not our machine's, though one of ours is called the same."""
    theirs = WORKSPACE.replace(OURS, THEIRS)

    assert machines(an_alert(theirs, dimensions={"Computer": "web-01"})) == ()
    assert machines(an_alert(dimensions={"Computer": "web-01"})) == ()


def test_rows_behind_an_older_log_alert_count_like_dimensions() -> None:
    """Row by row: the identity where a row has one, else the name."""
    rows: list[dict[str, Json]] = [
        {"Computer": "web-01", "_ResourceId": VM},
        {"Computer": "onprem-7", "_ResourceId": ""},
        {"Computer": None, "_ResourceId": None},
    ]

    selected = machines(an_alert(WORKSPACE, rows=rows, service="Log Analytics"))

    assert selected == (VM.lower(), "name:onprem-7")


def test_configuration_items_count_where_nothing_else_tells() -> None:
    """Computers in log alerts; anything at all in others."""
    assert machines(an_alert(WORKSPACE, items=["Web-01"])) == ("name:web-01",)
    assert machines(an_alert(WORKSPACE, items=["Web-01"], dimensions={"_ResourceId": VM})) == (VM.lower(),)
    assert machines(an_alert(WORKSPACE, items=["budgets"], service="CostAlerts")) == (WORKSPACE.lower(),)


def test_a_list_too_long_to_be_taken_is_about_the_whole_target() -> None:
    rows: list[dict[str, Json]] = [{"Computer": f"web-{number}"} for number in range(MOST_NAMED + 1)]

    assert machines(an_alert(WORKSPACE, rows=rows)) == (WORKSPACE.lower(),)
    assert len(machines(an_alert(WORKSPACE, rows=rows[:-1]))) == MOST_NAMED


@pytest.mark.parametrize(
    ("alert", "states"),
    [
        (an_alert(WORKSPACE), None),
        (an_alert(WORKSPACE, dimensions={"Status": "MaintenanceWindowExceeded"}), ["maintenance-window-exceeded"]),
        (an_alert(WORKSPACE, dimensions={"Status": "FailedToStart"}), ["cloned-machine", "source-id-changed"]),
        (an_alert(WORKSPACE, dimensions={"Status": "Failed"}), None),
        (an_alert(WORKSPACE, rows=[{"Status": "FailedToStart"}, {"Status": "Failed"}]), None),
        (an_alert(WORKSPACE, operation="Microsoft.Automation/unregister/action"), ["automation-rp-not-registered"]),
        (an_alert(VM, operation="Microsoft.Compute/virtualMachines/restart/action"), None),
        (an_alert(VM, properties={"patchwright.state": "cloned-machine"}), ["cloned-machine"]),
        (
            an_alert(VM, properties={"patchwright.states": "source-id-changed, cloned-machine"}),
            ["source-id-changed", "cloned-machine"],
        ),
        (an_alert(VM, properties={"patchwright.states": ["cloned-machine"]}), ["cloned-machine"]),
        (an_alert(VM, properties={"patchwright.states": ""}), []),
        (
            an_alert(VM, properties={"patchwright.state": "cloned-machine"}, dimensions={"Status": "FailedToStart"}),
            ["cloned-machine"],
        ),
        (an_alert(VM, properties={"team": "web"}), None),
    ],
)
def test_states_are_named_by_the_rule_or_told_by_the_facts(alert: Document, states: list[str] | None) -> None:
    """What says nothing means all of them; an empty list means none."""
    found = states_of(alert_in(alert))

    assert (None if found is None else [state.value for state in found]) == states


def test_custom_properties_are_found_where_either_version_puts_them() -> None:
    alert = an_alert(VM)
    data = alert["data"]
    assert isinstance(data, dict)
    context = data["alertContext"]
    assert isinstance(context, dict)
    context["properties"] = {"patchwright.state": "cloned-machine"}

    assert states_of(alert_in(alert)) == (FailureState.CLONED_MACHINE,)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "schemaId"),
        ({"schemaId": None}, "schemaId"),
        ({"schemaId": "AzureMonitorMetricAlert", "data": {}}, "schemaId"),
        ({"schemaId": "Microsoft.Insights/activityLogs", "data": {}}, "schemaId"),
        ({"schemaId": ["azureMonitorCommonAlertSchema"]}, "schemaId"),
        ({"schemaId": "azureMonitorCommonAlertSchema"}, "data.essentials"),
        ({"schemaId": "azureMonitorCommonAlertSchema", "data": []}, "data.essentials"),
        ({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": "x"}}, "data.essentials"),
        (an_alert(condition=""), "data.essentials.monitorCondition"),
        (an_alert(condition="Acknowledged"), "data.essentials.monitorCondition"),
        (an_alert(essentials={"monitorCondition": None}), "data.essentials.monitorCondition"),
        (an_alert(essentials={"monitorCondition": ["Fired"]}), "data.essentials.monitorCondition"),
        (an_alert(essentials={"alertTargetIDs": VM}), "data.essentials.alertTargetIDs"),
        (an_alert(essentials={"alertTargetIDs": {"0": VM}}), "data.essentials.alertTargetIDs"),
        (an_alert(VM, properties={"patchwright.state": "no-such"}), "data.customProperties.patchwright.state[0]"),
        (an_alert(VM, properties={"patchwright.states": 7}), "data.customProperties.patchwright.states"),
    ],
)
def test_what_is_no_such_alert_is_refused_by_the_name_of_the_place(body: Document, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        alert_in(body)

    assert refused.value.field == field


def test_the_same_alert_has_the_same_key_and_another_has_another() -> None:
    """Ids are compared without regard to case. An activity log alert's id is its rule's: its time tells it apart."""
    same: dict[str, Json] = {"alertId": "/A", "originAlertId": "O", "firedDateTime": "2026-03-10T05:00:00Z"}

    def key(name: str = "", value: Json = None) -> str:
        return alert_in(an_alert(VM, essentials={**same, **({name: value} if name else {})})).key

    assert key() == key() == key("alertId", "/a")
    others = [key("alertId", "/B"), key("originAlertId", "P"), key("originAlertId"), key("firedDateTime", "2026-03-10")]
    assert len({key(), *others}) == 5


@pytest.mark.parametrize("file", samples("full"))
def test_microsofts_sample_alerts_are_read(file: Path) -> None:
    """Every complete payload that Microsoft publishes or its test button sends."""
    alert = alert_in(read(file))

    assert alert.fired is ("resolved" not in file.stem)
    assert machines_of(alert, SETTINGS) == (), "none of them is about our estate"


@pytest.mark.parametrize("file", samples("context-only"))
def test_microsofts_sample_contexts_are_read(file: Path) -> None:
    """Payloads that are printed without their envelope, put into one of ours."""
    alert = an_alert(WORKSPACE)
    data = alert["data"]
    assert isinstance(data, dict)
    data["alertContext"] = read(file)["alertContext"]

    found = alert_in(alert)

    assert machines_of(found, SETTINGS) == (WORKSPACE.lower(),)
    assert states_of(found) is None


def test_microsofts_log_alert_is_about_the_computer_that_it_names() -> None:
    """Version 2 with a dimension, in an estate whose workspace is the sample's."""
    body = read(shared(f"{SAMPLES}/full/test-action-log-v2.json"))
    subscription = "11111111-1111-1111-1111-111111111111"
    group = f"/subscriptions/{subscription}/resourceGroups/test-RG/providers"
    sample = Settings(
        subscriptions=(subscription,),
        account=f"{group}/Microsoft.Automation/automationAccounts/aa",
        workspace=f"{group}/Microsoft.OperationalInsights/workspaces/test-logAnalyticsWorkspace",
    )

    assert machines_of(alert_in(body), sample) == ("name:test-computer",)


JSONS: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
HOSTILE: Final = st.sampled_from(
    [
        "web'01",
        'web"01',
        "$(reboot)",
        "`id`",
        "a\nb",
        "x | union *",
        "' or 1 == 1 //",
        "a;b",
        "../..",
        "\ud800",
        "\x00",
        "٣",
    ]
)


@given(
    targets=st.lists(st.sampled_from([VM, WORKSPACE, ACCOUNT]) | st.text() | HOSTILE, max_size=4),
    name=st.sampled_from(["Computer", "_ResourceId", "TargetComputer", "SoftwareUpdateConfigurationName", "Status"]),
    value=st.text() | HOSTILE | st.sampled_from([VM, "/subscriptions/x"]),
    extra=JSONS,
)
def test_whatever_an_alert_says_selects_nothing_outside_the_scope(
    targets: list[str], name: str, value: str, extra: Json
) -> None:
    """
    Every selection is one that a sweep takes; every id in it lies in a configured subscription; and what is a name
    stays a name.
    """
    body = an_alert(*targets, dimensions={name: value}, essentials={"resolvedDateTime": extra})

    selected = machines(body)

    assert machines_in(list(selected), "machines") == selected
    for one in selected:
        assert one.startswith("name:") or subscription_of(one) == OURS
    assert SweepRequest.of(SweepRequest(run="r", trigger="alert", machines=selected).document).machines == selected


@given(essentials=JSONS, context=JSONS, properties=JSONS)
def test_an_alert_of_any_shape_is_read_or_refused(essentials: Json, context: Json, properties: Json) -> None:
    """By the name of the place, never by falling over it."""
    shapes: list[Document] = [
        {"schemaId": "azureMonitorCommonAlertSchema", "data": essentials},
        {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials, "alertContext": context}},
    ]
    whole = an_alert(VM)
    data = whole["data"]
    assert isinstance(data, dict)
    places = ("condition", "SearchResults", "properties", "dimensions", "Dimensions", "operationName")
    shapes += [
        {**whole, "data": {**data, "alertContext": {place: context}, "customProperties": properties}}
        for place in places
    ]
    for body in shapes:
        with contextlib.suppress(InvalidRequest):
            alert = alert_in(body)
            machines_of(alert, SETTINGS)
            states_of(alert)
