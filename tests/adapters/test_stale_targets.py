"""The last look before a write: whatever field of the target is not what the plan says, nothing is sent, and the field
is named. Every field there is, fields that nobody here has heard of, and the target itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.clients import Clients
from adapters.writer import AzureWriter
from engine.ports import StepFailed, StepStale
from model.deployments import SERVER_OWNED
from model.documents import ABSENT, Document, Json
from model.plans import (
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
)
from tests.adapters.stub import Asked, Said, Stub, answering
from tests.builders import DAY, NOW, SUBSCRIPTION, WORKSPACE, a_body, a_machine, a_saved_search, vm
from tests.engine.fakes import FakeClock
from tests.support.places import Place, another, found, places, put, says_nothing, spelled, unheard_of

TELLS_AN_EDIT: Final = "properties.lastModifiedTime"


@dataclass(slots=True)
class Azure:
    """One document at every address, and what was sent there."""

    document: Document | None = None
    sent: list[Asked] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Said:
        if asked.method != "GET":
            self.sent.append(asked)
            return Said(body=self.document)
        if self.document is None:
            return Said(status=404, body={"error": {"code": "ResourceNotFound", "message": "it is gone"}})
        return Said(body=self.document)


@pytest.fixture(scope="module")
def azure() -> Iterator[tuple[Azure, Stub]]:
    one = Azure()
    with answering(one) as stub:
        yield one, stub


def begun(azure: tuple[Azure, Stub], step: Step, document: Document | None) -> tuple[object, list[Asked]]:
    """What the writer says of a step whose target is `document`, and what it sent."""
    one, stub = azure
    one.document, one.sent = document, []
    writer = AzureWriter(lambda: Clients(stub.url, read_only=False, back_off=0), FakeClock(), lambda: None)
    return writer.begin(step, "step", {}), one.sent


# A deployment

BODY: Final = a_body(
    machines=[vm("web-01")], names=["outside-01"], scopes=[f"/subscriptions/{SUBSCRIPTION}"], tags={"Env": ["prod"]},
    locations=["westeurope"],
)  # fmt: skip
OWNED: Final = SERVER_OWNED - {TELLS_AN_EDIT}
PLACES: Final = [
    place for place in places(BODY) if not any(spelled(place[: n + 1]) in OWNED for n in range(len(place)))
]
SAVING: Final = PutDeployment(
    deployment=str(BODY["id"]),
    before=BODY,
    after=put(
        put(BODY, ("properties", "updateConfiguration", "duration"), "PT3H"),
        ("properties", "scheduleInfo", "startTime"),
        f"{NOW + 3 * DAY:%Y-%m-%dT%H:%M:%S}+00:00",
    ),
)


def stale_at(said: object, sent: list[Asked], place: Place) -> None:
    assert isinstance(said, StepStale), said
    assert sent == []
    # What was added to an object or taken from it is named itself, and so is what was inside of what is gone.
    assert said.field.startswith(spelled(place))


@pytest.mark.parametrize("place", PLACES, ids=spelled)
def test_a_field_of_a_deployment_that_says_something_else(azure: tuple[Azure, Stub], place: Place) -> None:
    now = put(BODY, place, another(place, found(BODY, place)))

    stale_at(*begun(azure, SAVING, now), place)


@pytest.mark.parametrize(
    "place",
    [p for p in PLACES if not isinstance(p[-1], int) and p != ("properties",) and not says_nothing(found(BODY, p))],
    ids=spelled,
)
def test_a_field_of_a_deployment_that_is_gone(azure: tuple[Azure, Stub], place: Place) -> None:
    stale_at(*begun(azure, SAVING, put(BODY, place, ABSENT)), place)


OBJECTS: Final = [("properties",), *(place for place in PLACES[1:] if isinstance(found(BODY, place), dict))]


@given(st.sampled_from(OBJECTS), st.text("abc", min_size=1, max_size=4), unheard_of)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_field_of_a_deployment_that_nobody_here_has_heard_of(
    azure: tuple[Azure, Stub], inside: Place, name: str, value: Json
) -> None:
    """It came, it changed or it went, in any object of the body; and what it holds may be anything."""
    place = (*inside, f"x{name}")
    with_it = put(BODY, place, value)
    knowing = PutDeployment(deployment=SAVING.deployment, before=with_it, after=SAVING.after)

    stale_at(*begun(azure, SAVING, with_it), place)
    stale_at(*begun(azure, knowing, BODY), place)
    stale_at(*begun(azure, knowing, put(BODY, place, "something else")), place)


def test_what_the_service_writes_by_itself_makes_no_step_stale(azure: tuple[Azure, Stub]) -> None:
    owned = [place for place in places(BODY) if spelled(place) in OWNED and "." in spelled(place)]
    for place in owned:
        said, sent = begun(azure, SAVING, put(BODY, place, another(place, found(BODY, place))))
        assert not isinstance(said, StepStale), spelled(place)
        # Not while it is being saved by somebody, though.
        assert len(sent) == (spelled(place) != "properties.provisioningState"), (spelled(place), said)
    assert len(owned) > 8


# A saved search

SEARCH: Final = {**a_saved_search("Heartbeat | take 1").document}
SEARCHING: Final = PutSavedSearch(
    saved_search=str(SEARCH["id"]),
    before=SEARCH,
    after=put(SEARCH, ("properties", "query"), "Heartbeat | take 2"),
)
OF_A_SEARCH: Final = [place for place in places(SEARCH) if place[0] == "properties" and len(place) > 1]


@pytest.mark.parametrize("place", OF_A_SEARCH, ids=spelled)
def test_a_field_of_a_saved_search_that_says_something_else(azure: tuple[Azure, Stub], place: Place) -> None:
    stale_at(*begun(azure, SEARCHING, put(SEARCH, place, another(place, found(SEARCH, place)))), place)


@pytest.mark.parametrize("place", [p for p in OF_A_SEARCH if not isinstance(p[-1], int)], ids=spelled)
def test_a_field_of_a_saved_search_that_is_gone(azure: tuple[Azure, Stub], place: Place) -> None:
    stale_at(*begun(azure, SEARCHING, put(SEARCH, place, ABSENT)), place)


@given(st.text("abc", min_size=1, max_size=4), unheard_of)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_field_of_a_saved_search_that_nobody_here_has_heard_of(
    azure: tuple[Azure, Stub], name: str, value: Json
) -> None:
    place = ("properties", f"x{name}")
    stale_at(*begun(azure, SEARCHING, put(SEARCH, place, value)), place)


# The others change one thing each, and that is what they look at

ONE: Final = a_machine("web-01")
STARTING: Final = StartMachine(machine=ONE.arm_id, power_before="deallocated")
CAPPING: Final = SetDailyQuota(workspace=WORKSPACE, gb_before=2, gb_after=3)
REGISTERING: Final = RegisterProvider(
    subscription=SUBSCRIPTION, namespace="Microsoft.Automation", state_before="NotRegistered"
)
SCRIPT: Final = RunScript(machine=ONE.arm_id, location="", script="windows/reset-worker-key.ps1", parameters={})


@pytest.mark.parametrize("power", ["stopped", "stopping", "deallocating", "hibernated", "unknown", ""])
def test_a_machine_that_is_off_in_another_way(azure: tuple[Azure, Stub], power: str) -> None:
    statuses: list[Json] = [{"code": f"PowerState/{power}"}] if power else []
    said, sent = begun(azure, STARTING, {"properties": {"instanceView": {"statuses": statuses}}})
    assert said == StepStale(field="power", planned="deallocated", found=power)
    assert sent == []


@given(st.none() | st.booleans() | st.text(max_size=3) | st.floats(-1, 9).filter(lambda gb: gb not in {2, 3}))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_daily_cap_of_any_other_size(azure: tuple[Azure, Stub], gb: Json) -> None:
    said, sent = begun(azure, CAPPING, {"properties": {"workspaceCapping": {"dailyQuotaGb": gb}}})
    assert said == StepStale(field="properties.workspaceCapping.dailyQuotaGb", planned=2, found=gb)
    assert sent == []


@pytest.mark.parametrize("state", ["Unregistered", "Unregistering", "Odd", ""])
def test_a_provider_in_any_other_state(azure: tuple[Azure, Stub], state: str) -> None:
    said, sent = begun(azure, REGISTERING, {"registrationState": state})
    assert said == StepStale(field="registrationState", planned="NotRegistered", found=state)
    assert sent == []


@pytest.mark.parametrize(
    "step", [SAVING, SEARCHING, STARTING, CAPPING, REGISTERING, SCRIPT], ids=lambda step: type(step).__name__
)
def test_a_target_that_is_gone(azure: tuple[Azure, Stub], step: Step) -> None:
    """Nothing is made anew in its place: a PUT would."""
    said, sent = begun(azure, step, None)
    assert isinstance(said, StepStale)
    assert (said.field, said.found) == ("machine" if step is SCRIPT else "id", None)
    assert sent == []


@pytest.mark.parametrize(
    "change",
    [
        lambda body: {**body, "properties": None},
        lambda body: {**body, "properties": "Succeeded"},
        lambda body: {},
        lambda body: {"value": [body]},
    ],
)
@pytest.mark.parametrize("step", [SAVING, SEARCHING, STARTING, CAPPING, REGISTERING], ids=lambda s: type(s).__name__)
def test_an_answer_that_is_no_such_target_at_all(
    azure: tuple[Azure, Stub], step: Step, change: Callable[[Document], Document]
) -> None:
    other: Document = {"id": "it", "registrationState": 7}
    body = step.before if isinstance(step, PutDeployment | PutSavedSearch) else other
    said, sent = begun(azure, step, change(body))
    assert isinstance(said, StepStale | StepFailed)
    assert sent == []
