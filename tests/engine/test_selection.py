"""Which findings a request is about."""

from __future__ import annotations

import pytest

from engine.selection import selects
from tests.builders import ACCOUNT, SUBSCRIPTION, WORKSPACE, a_body, a_machine, facts, update_deployment, vm

WEB, TWIN = a_machine("web-01"), a_machine("web-01", group="rg-blue")
FACTS = facts(machines=[WEB, TWIN], bodies=[a_body(machines=[WEB], names=["onprem-01.corp.example"])])
WEEKLY = update_deployment("Weekly").lower()
WHOLE = f"/subscriptions/{SUBSCRIPTION}"


@pytest.mark.parametrize(
    ("wanted", "target", "expected"),
    [
        (None, WEB.id, True),
        ((), WEB.id, False),
        ((WEB.id,), WEB.id, True),
        ((TWIN.id,), WEB.id, False),
        ((vm("web-0").lower(),), WEB.id, False),
        # What encloses it.
        ((WHOLE,), WEB.id, True),
        ((WHOLE,), WHOLE, True),
        ((f"{WHOLE}/resourcegroups/rg-web",), WEB.id, True),
        ((f"{WHOLE}/resourcegroups/rg-we",), WEB.id, False),
        ((ACCOUNT.lower(),), WEB.id, True),
        ((WORKSPACE.lower(),), WHOLE, True),
        # A machine that the deployment patches.
        ((WEB.id,), WEEKLY, True),
        ((TWIN.id,), WEEKLY, False),
        ((WEEKLY,), WEEKLY, True),
        ((WEEKLY,), WEB.id, False),
        # A name narrows what is looked at: every machine that bears it.
        (("name:web-01",), WEB.id, True),
        (("name:web-01",), TWIN.id, True),
        (("name:web-01.corp.example",), WEB.id, True),
        (("name:web-02",), WEB.id, False),
        (("name:web-01",), WEEKLY, True),
        (("name:onprem-01",), WEEKLY, True),
        (("name:onprem-01",), WEB.id, False),
        (("name:web-01",), WHOLE, False),
        ((TWIN.id, WEB.id), WEB.id, True),
    ],
)
def test_a_selection(wanted: tuple[str, ...] | None, target: str, expected: bool) -> None:  # noqa: FBT001
    assert selects(wanted, target, FACTS) is expected
