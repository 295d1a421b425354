"""The second look, field by field: a plan made now that differs anywhere from the saved one is not that plan."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compare import edited, moved
from model.deployments import SERVER_OWNED
from model.documents import ABSENT, Document, Json
from model.plans import (
    AwaitIdentity,
    Plan,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
)
from tests.builders import SUBSCRIPTION, WORKSPACE, WORKSPACE_GUID, a_body, a_machine, a_plan, a_saved_search, vm
from tests.support.places import Place, another, found, places, put, says_nothing, spelled, unheard_of

ONE: Final = a_machine("web-01")
BODY: Final = a_body(
    machines=[vm("web-01")], names=["outside-01"], scopes=[f"/subscriptions/{SUBSCRIPTION}"], tags={"Env": ["prod"]},
    locations=["westeurope"],
)  # fmt: skip
SEARCH: Final = {**a_saved_search("Heartbeat | take 1").document}
SAVING: Final = PutDeployment(
    deployment=str(BODY["id"]),
    before=BODY,
    after=put(BODY, ("properties", "updateConfiguration", "duration"), "PT3H"),
)
SEARCHING: Final = PutSavedSearch(
    saved_search=str(SEARCH["id"]), before=SEARCH, after=put(SEARCH, ("properties", "query"), "Heartbeat | take 2")
)
OWNED: Final = SERVER_OWNED - {"properties.lastModifiedTime"}
"""What the service writes of a deployment, but for when somebody has saved it."""
OF_A_BODY: Final = [
    place for place in places(BODY) if not any(spelled(place[: n + 1]) in OWNED for n in range(len(place)))
]
OF_A_SEARCH: Final = [place for place in places(SEARCH) if place[0] == "properties"]


def plan(step: Step) -> Plan:
    return a_plan(step)


def refused(planned: Step, now: Step, at: str) -> None:
    change = moved(plan(planned), plan(now), {})
    assert change is not None
    assert change.field.startswith(f"steps[0].{at}")
    assert moved(plan(planned), plan(planned), {}) is None


def saving(step: PutDeployment | PutSavedSearch, before: Document) -> Step:
    return replace(step, before=before)


CASES: Final = [(SAVING, place) for place in OF_A_BODY] + [(SEARCHING, place) for place in OF_A_SEARCH]


@pytest.mark.parametrize(("step", "place"), CASES, ids=lambda each: spelled(each) if isinstance(each, tuple) else "")
def test_whatever_field_is_another_or_gone_is_named(step: PutDeployment | PutSavedSearch, place: Place) -> None:
    value = found(step.before, place)
    refused(step, saving(step, put(step.before, place, another(place, value))), f"before.{spelled(place)}")

    if not says_nothing(value) and not isinstance(place[-1], int):
        gone = put(step.before, place, ABSENT)
        refused(step, saving(step, gone), f"before.{spelled(place)}")
        if isinstance(step, PutDeployment) and place != ("properties",):
            # Also where no plan can be made of it any more.
            change = edited(plan(step), {step.deployment.lower(): gone}, {})
            assert change is not None
            assert change.field.startswith(f"steps[0].before.{spelled(place)}")


@given(st.sampled_from([case for case in CASES if isinstance(found(case[0].before, case[1]), dict)]), unheard_of)
@settings(max_examples=60)
def test_whatever_nobody_here_has_heard_of_is_named(
    case: tuple[PutDeployment | PutSavedSearch, Place], value: Json
) -> None:
    """It came, it went, or it says something else."""
    step, inside = case
    place = (*inside, "xUnknown")
    with_it = put(step.before, place, value)

    refused(step, saving(step, with_it), f"before.{spelled(place)}")
    refused(saving(step, with_it), step, f"before.{spelled(place)}")
    refused(saving(step, with_it), saving(step, put(with_it, place, "else")), f"before.{spelled(place)}")


OTHERS: Final[tuple[tuple[Step, Step, str], ...]] = (
    (
        RunScript(machine=ONE.arm_id, location="", script="a.ps1", parameters={"A": "1"}),
        RunScript(machine=ONE.arm_id, location="", script="b.ps1", parameters={"A": "1"}),
        "script",
    ),
    (
        RunScript(machine=ONE.arm_id, location="", script="a.ps1", parameters={"A": "1"}),
        RunScript(machine=ONE.arm_id, location="", script="a.ps1", parameters={"A": "2"}),
        "parameters.A",
    ),
    (
        RunScript(machine=ONE.arm_id, location="", script="a.ps1", parameters={"A": "1"}),
        RunScript(machine=ONE.arm_id, location="", script="a.ps1", parameters={}),
        "parameters.A",
    ),
    (
        StartMachine(machine=ONE.arm_id, power_before="deallocated"),
        StartMachine(machine=ONE.arm_id, power_before="stopped"),
        "power",
    ),
    (
        SetDailyQuota(workspace=WORKSPACE, gb_before=1, gb_after=2),
        SetDailyQuota(workspace=WORKSPACE, gb_before=1.5, gb_after=2),
        "before.dailyQuotaGb",
    ),
    (
        SetDailyQuota(workspace=WORKSPACE, gb_before=1, gb_after=2),
        SetDailyQuota(workspace=WORKSPACE, gb_before=1, gb_after=3),
        "after.dailyQuotaGb",
    ),
    (
        RegisterProvider(subscription=SUBSCRIPTION, namespace="Microsoft.Automation", state_before="NotRegistered"),
        RegisterProvider(subscription=SUBSCRIPTION, namespace="Microsoft.Automation", state_before="Unregistered"),
        "registrationState",
    ),
    (
        RegisterProvider(subscription=SUBSCRIPTION, namespace="Microsoft.Automation", state_before="NotRegistered"),
        RegisterProvider(subscription=SUBSCRIPTION, namespace="Microsoft.Compute", state_before="NotRegistered"),
        "namespace",
    ),
)


@pytest.mark.parametrize(("planned", "now", "named"), OTHERS)
def test_the_one_thing_that_another_step_states_is_named(planned: Step, now: Step, named: str) -> None:
    refused(planned, now, named)


ALL: Final[tuple[Step, ...]] = (
    SAVING,
    SEARCHING,
    AwaitIdentity(machine=ONE.arm_id, workspace_guid=WORKSPACE_GUID, not_source_computer_id="one"),
    *(planned for planned, _, _ in OTHERS[::2]),
)
TARGETS: Final = {"deployment", "saved_search", "machine", "workspace", "subscription"}


@pytest.mark.parametrize("step", ALL, ids=lambda step: type(step).__name__)
def test_another_target_and_another_kind_of_step_are_another_plan(step: Step) -> None:
    (name,) = TARGETS & {each.name for each in fields(step)}
    elsewhere: Any = {name: f"{getattr(step, name)}-other"}
    refused(step, replace(step, **elsewhere), "target")
    for other in ALL:
        if type(other) is not type(step):
            refused(step, other, "target")


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=4), st.data())
@settings(max_examples=30)
def test_more_steps_fewer_or_in_another_order_are_another_plan(steps: list[Step], data: st.DataObject) -> None:
    one = replace(plan(SAVING), steps=tuple(steps))
    longer = replace(one, steps=(*steps, data.draw(st.sampled_from(ALL))))
    change = moved(one, longer, {})
    assert change is not None
    assert change.field == "steps"
    assert moved(longer, one, {}) is not None
    turned = replace(one, steps=tuple(reversed(steps)))
    assert (moved(one, turned, {}) is None) == (turned == one)
