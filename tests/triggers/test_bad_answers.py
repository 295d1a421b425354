"""What is not well said by a person is refused by the place, and changes nothing."""

from __future__ import annotations

import pytest

from model.documents import Json
from tests.triggers.app import App

STATE = "automation-rp-not-registered"


@pytest.mark.parametrize("id_", ["nobody", "20260310T060000-5ba1c0de.3f9a2c1d0000", "%7Econtrol.x"])
def test_an_approval_that_nobody_asks_for_is_not_found(shared: App, id_: str) -> None:
    said = shared.post(f"/approvals/{id_}", {"decision": "approve", "reason": "yes"})

    assert (said.status, said.field) == (404, "id")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"decision": "maybe", "reason": "x"}, "decision"),
        ({"reason": "x"}, "decision"),
        ({"decision": "approve"}, "reason"),
        ({"decision": "approve", "reason": "  "}, "reason"),
        ({"decision": "approve", "reason": 7}, "reason"),
        ({"decision": "approve", "reason": "x" * 1001}, "reason"),
        ({"decision": "approve", "reason": "x", "plan": 1}, "plan"),
        ({"decision": "approve", "reason": "x", "plans": "all"}, "plans"),
    ],
)
def test_an_answer_that_is_not_well_said_is_refused_by_the_place(shared: App, body: Json, field: str) -> None:
    said = shared.post("/approvals/x.y", body)

    assert (said.status, said.field) == (400, field)


@pytest.mark.parametrize("path", ["/pause", "/resume"])
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"state": "no-such-state"}, 422, "state"),
        ({"state": 1}, 400, "state"),
        ({"reason": []}, 400, "reason"),
        ({"states": [STATE]}, 400, "states"),
    ],
)
def test_what_is_not_well_said_is_refused_by_the_place(
    shared: App, path: str, body: Json, status: int, field: str
) -> None:
    said = shared.post(path, body)

    assert (said.status, said.field) == (status, field)
