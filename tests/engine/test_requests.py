"""What may be asked for, checked before anything starts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.requests import MOST_NAMED, InvalidRequest, SweepRequest, machines_in, new_run_id, states_in
from model.documents import Json
from model.states import FailureState
from tests.builders import NOW, SUBSCRIPTION, vm

machines = st.lists(
    st.sampled_from([vm("web-01").lower(), f"/subscriptions/{SUBSCRIPTION}", "name:web-01"]), unique=True
)


@given(
    st.builds(
        SweepRequest,
        run=st.text(min_size=1),
        trigger=st.sampled_from(["timer", "alert", "http", "cli"]),
        dry_run=st.booleans(),
        states=st.none() | st.lists(st.sampled_from(list(FailureState)), unique=True).map(tuple),
        machines=st.none() | machines.map(tuple),
        by=st.text(),
    )
)
def test_a_request_survives_the_way_through_the_process(request_: SweepRequest) -> None:
    assert SweepRequest.of(request_.document) == request_


@pytest.mark.parametrize("said", [None, True, "false", 0, [], {}])
def test_only_a_plain_false_is_not_a_dry_run(said: Json) -> None:
    assert SweepRequest.of({"run": "r", "trigger": "timer", "dryRun": said}).dry_run is True
    assert SweepRequest.of({"run": "r", "trigger": "timer", "dryRun": False}).dry_run is False


def test_an_empty_list_is_not_the_same_as_none() -> None:
    """None selects everything, an empty selection nothing."""
    request = SweepRequest.of({"run": "r", "trigger": "http", "states": [], "machines": []})

    assert (request.states, request.machines) == ((), ())
    assert SweepRequest.of({"run": "r", "trigger": "http"}).machines is None


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("source-id-changed", "states"),
        ({"source-id-changed": True}, "states"),
        (["source-id-changed", "nope"], "states[1]"),
        (["Source-Id-Changed"], "states[0]"),
        ([None], "states[0]"),
        ([["source-id-changed"]], "states[0]"),
        (["x" * 10_000], "states[0]"),
    ],
)
def test_states_that_are_none_are_refused_by_their_place(value: Json, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        states_in(value, "states")

    assert raised.value.field == field
    assert len(raised.value.problem) < 300


def test_states_are_read_in_order_and_once() -> None:
    assert states_in(["source-id-changed", "cloned-machine", "source-id-changed"], "states") == (
        FailureState.SOURCE_ID_CHANGED,
        FailureState.CLONED_MACHINE,
    )
    assert states_in(None, "states") is None


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("web-01", "machines"),
        (None, "machines"),
        (["web-01"], "machines[0]"),
        ([vm("web-01"), "../etc"], "machines[1]"),
        ([vm("web-01") + "' or 1==1", 7], "machines[1]"),
        (["name:"], "machines[0]"),
        (["name:  "], "machines[0]"),
        ([vm("a\nb")], "machines[0]"),
        ([vm("a")] * (MOST_NAMED + 1), "machines"),
    ],
)
def test_machines_that_are_none_are_refused_by_their_place(value: Json, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        machines_in(value, "machines")

    assert raised.value.field == field


def test_machines_are_compared_in_lower_case() -> None:
    assert machines_in([vm("WEB-01"), vm("web-01").upper() + "/", "Name:Web-01"], "machines") == (
        vm("web-01").lower(),
        "name:web-01",
    )


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id(NOW + timedelta(seconds=n)) for n in range(5)]

    assert ids == sorted(ids)
    assert len({new_run_id(NOW) for _ in range(100)}) == 100
