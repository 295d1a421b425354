"""A plan made from an older world is refused, and the record names what has changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.deployments import SERVER_OWNED
from model.documents import Document, Json
from model.plans import PutDeployment, Step
from tests.builders import DAY, NOW, SUBSCRIPTION, a_body, a_machine, a_saved_search, update_deployment, vm
from tests.engine.conftest import App

WEEKLY = update_deployment("Weekly").lower()
_IDENTITY = {"id", "name", "type"}
_TELLING = SERVER_OWNED - {
    "properties.lastModifiedTime",
    "properties.provisioningState",
    "properties.scheduleInfo.nextRun",
}
"""What the service writes and what says nothing of an edit."""


def leaves(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field of a document that is not an object itself."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif path:
        yield path


FIELDS = sorted(
    path for path in leaves(a_body(machines=["x"])) if ".".join(path) not in _TELLING and path[0] not in _IDENTITY
)
READ_BACK = {
    # Without these there is no finding or no plan any more, and the record says so in the words of the detector.
    "properties.provisioningState": "is not settled",
    "properties.scheduleInfo.nextRun": "startTime",
}


def another(value: Json) -> Json:
    """A value of the same kind that says something else."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return (
                "2031-01-01T00:00:00+00:00"
                if value[:2] in {"20", "99"}
                else "PT7H"
                if value[:2] == "PT"
                else f"{value}other"
            )
        case list():
            return [*value, vm("added")]
        case dict() | None:
            return "there is something now"


def changed(body: Document, path: tuple[str, ...]) -> None:
    here: Json = body
    for key in path[:-1]:
        assert isinstance(here, dict)
        here = here[key]
    assert isinstance(here, dict)
    here[path[-1]] = another(here[path[-1]])


def spelled(path: tuple[str, ...]) -> str:
    return ".".join(path)


@pytest.mark.parametrize("path", FIELDS, ids=spelled)
def test_whatever_field_of_the_deployment_has_changed_the_plan_is_refused_and_the_field_named(
    app: App, path: tuple[str, ...]
) -> None:
    key = app.renamed()
    run = app.plan()
    changed(app.world.bodies[WEEKLY], path)
    moved = copy.deepcopy(app.world.bodies[WEEKLY])

    app.apply(run)

    assert app.outcomes(run) == {key: "stale"}
    assert READ_BACK.get(spelled(path), spelled(path)) in app.reason(run)
    assert (app.hand.writes, app.world.bodies[WEEKLY]) == ([], moved)


@pytest.mark.parametrize("path", [path for path in FIELDS if spelled(path) not in READ_BACK], ids=spelled)
def test_it_is_refused_as_well_where_the_field_changes_after_the_second_look(app: App, path: tuple[str, ...]) -> None:
    """The hand that writes re-reads its target right before the write."""
    key = app.renamed()
    run = app.plan()

    def meanwhile(step: Step) -> None:
        if isinstance(step, PutDeployment) and not step.restores:
            changed(app.world.bodies[WEEKLY], path)

    app.hand.before = meanwhile

    app.apply(run)

    assert app.outcomes(run) == {key: "stale"}
    assert spelled(path) in app.reason(run)
    assert app.hand.writes == []


@given(
    st.sampled_from(["updateConfiguration", "scheduleInfo", "tasks"]), st.text("abc", min_size=1, max_size=4), st.data()
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_property_that_nobody_here_has_heard_of_counts_too(
    make_app: type[App], part: str, name: str, data: st.DataObject
) -> None:
    """Added or taken away; null is as good as absent."""
    value = data.draw(st.none() | st.booleans() | st.integers() | st.text(min_size=1, max_size=4))
    app = make_app()
    key = app.renamed()
    run = app.plan()
    app.world.set(WEEKLY, part, f"x{name}", value)

    app.apply(run)

    if value is None:
        assert app.outcomes(run) == {key: "remediated"}
    else:
        assert app.outcomes(run) == {key: "stale"}
        assert f"properties.{part}.x{name} was (absent) when the plan was made" in app.reason(run)


@pytest.mark.parametrize("path", sorted(_TELLING - _IDENTITY))
def test_what_the_service_writes_by_itself_makes_no_plan_stale(app: App, path: str) -> None:
    key = app.renamed()
    run = app.plan()
    changed(app.world.bodies[WEEKLY], tuple(path.split(".")))

    app.apply(run)

    assert app.outcomes(run) == {key: "remediated"}


def test_the_same_content_saved_anew_is_an_edit(app: App) -> None:
    """Somebody is at work on it."""
    app.renamed()
    run = app.plan()
    app.clock.sleep_until(NOW + DAY)
    app.world.touch(WEEKLY)

    app.apply(run)

    assert "properties.lastModifiedTime was" in app.reason(run)
    assert app.hand.writes == []


def test_a_time_that_azure_writes_otherwise_is_the_same_time(app: App) -> None:
    key = app.renamed()
    run = app.plan()
    properties = app.world.bodies[WEEKLY]["properties"]
    assert isinstance(properties, dict)
    properties["lastModifiedTime"] = str(properties["lastModifiedTime"]).replace("Z", ".0000000+00:00")

    app.apply(run)

    assert app.outcomes(run) == {key: "remediated"}


def test_a_plan_of_yesterday_whose_deployment_has_run_since_is_refused(app: App) -> None:
    """Its start would lie in the past."""
    key = app.renamed()
    run = app.plan()
    app.clock.sleep_until(NOW + 4 * DAY)

    app.apply(run)

    assert app.outcomes(run) == {key: "stale"}
    assert "scheduleInfo.startTime" in app.reason(run)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda app: app.world.edit(update_deployment("Monthly").lower(), "duration", "PT3H"), "duration was PT2H"),
        (lambda app: app.world.edit(update_deployment("Monthly").lower(), "nonAzureComputerNames", ["x"]),
         "nonAzureComputerNames"),
        (lambda app: app.world.set(update_deployment("Monthly").lower(), "scheduleInfo", "isEnabled", value=False),
         "isEnabled was True"),
    ],
)  # fmt: skip
def test_a_window_that_somebody_else_has_changed_is_left_to_them(app: App, edit: Any, named: str) -> None:
    """Also where the finding itself is gone or unknown by that: the record names the field, not the consequence."""
    key = app.late()
    run = app.plan()
    edit(app)

    app.apply(run)

    assert app.outcomes(run) == {key: "stale"}
    assert named in app.reason(run)
    assert app.hand.writes == []


def test_a_provider_in_another_state_is_looked_at_anew(app: App) -> None:
    app.unregistered("NotRegistered")
    run = app.plan()
    app.unregistered("Unregistered")

    app.apply(run)

    assert app.reason(run) == (
        "steps[0].registrationState was NotRegistered when the plan was made, and is Unregistered"
    )
    assert app.world.registrations[SUBSCRIPTION] == "Unregistered"


def test_a_scope_that_somebody_else_has_edited_stops_the_reset(app: App) -> None:
    keys = app.clones("clone-01", "clone-02")
    one = a_machine("clone-01")
    search = a_saved_search(f'Heartbeat | where VMUUID in~ ("{one.vm_id}", "other")')
    app.world.searches[search.id] = search
    run = app.plan()
    app.world.searches[search.id] = a_saved_search(f'Heartbeat | where VMUUID in~ ("{one.vm_id}")')

    app.apply(run, findings=keys[:1])

    assert app.outcomes(run)[keys[0]] == "stale"
    (reason,) = [o["reason"] for o in app.document(run)["outcomes"] if o["finding"] == keys[0]]
    assert "query" in reason
    assert app.hand.writes == []


def test_a_machine_that_got_a_user_worker_meanwhile_is_not_reset(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan is safe any more; the record says why."""
    keys = app.clones("clone-01", "clone-02")
    run = app.plan()
    one = app.world.machines[a_machine("clone-01").id]
    app.world.machines[one.id] = a_machine("clone-01", os="Linux")

    app.apply(run, findings=keys[:1])

    assert app.outcomes(run)[keys[0]] == "stale"
    assert app.hand.asked == []
