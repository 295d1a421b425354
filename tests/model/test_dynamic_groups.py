"""What a dynamic query selects, and what a machine was before its changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model.dynamic_groups import at_time, called_too_few, selected, selects
from model.facts import PowerState, ResourceChange
from tests.builders import DAY, HOUR, MINUTE, NOW, SUBSCRIPTION, a_body, a_deployment, a_machine, a_run

WHOLE = f"/subscriptions/{SUBSCRIPTION}"
POWER = "properties.extended.instanceView.powerState.code"
TAGGED = {"Patch": "Yes", "env": "prod"}


@pytest.mark.parametrize(
    ("machine", "query", "expected"),
    [
        ({}, {}, True),
        # Azure VMs of the deployment's system, in its scope.
        ({"os": "Linux"}, {}, False),
        ({"os": ""}, {}, False),
        ({"is_arc": True}, {}, False),
        ({"group": "rg-other"}, {"scopes": [f"{WHOLE}/resourceGroups/RG-Web"]}, False),
        ({"group": "rg-web"}, {"scopes": [f"{WHOLE}/resourceGroups/RG-Web"]}, True),
        # A group whose name begins like the other's.
        ({"group": "rg-web-2"}, {"scopes": [f"{WHOLE}/resourceGroups/rg-web"]}, False),
        ({}, {"scopes": [f"{WHOLE}/resourceGroups/none", WHOLE]}, True),
        # An empty selection selects nothing.
        ({}, {"scopes": []}, False),
        ({}, {"locations": ["westeurope", "northeurope"]}, True),
        ({}, {"locations": ["northeurope"]}, False),
        # Names and values of tags have no case.
        ({"tags": TAGGED}, {"tags": {"patch": ["yes"]}}, True),
        ({"tags": TAGGED}, {"tags": {"patch": ["no"]}}, False),
        ({"tags": TAGGED}, {"tags": {"patch": ["no", "yes"]}}, True),
        ({}, {"tags": {"patch": ["yes"]}}, False),
        ({"tags": TAGGED}, {"tags": {"patch": ["yes"], "env": ["test"]}}, False),
        ({"tags": TAGGED}, {"tags": {"patch": ["yes"], "env": ["test"]}, "any_tag": True}, True),
        ({"tags": TAGGED}, {"tags": {"patch": ["no"], "env": ["test"]}, "any_tag": True}, False),
    ],
)  # fmt: skip
def test_a_query_selects_by_scope_system_place_and_tags(
    machine: dict[str, Any],
    query: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    deployment = a_deployment(a_body(**{"scopes": [WHOLE], **query}))

    assert selects(deployment, a_machine(**machine)) is expected


def test_a_machine_that_is_named_anyway_is_not_counted_twice() -> None:
    named, other = a_machine("web-01"), a_machine("web-02")
    deployment = a_deployment(a_body(machines=[named], scopes=[WHOLE]))

    assert selected(deployment, [named, other]) == {other.id}


@pytest.mark.parametrize(
    ("computers", "wanted", "too_few"),
    # The deployment names one machine and one computer.
    [(3, 1, False), (2, 1, True), (None, 1, True), (0, 0, False), (4, 1, False)],
)
def test_a_run_is_looked_at_where_it_called_fewer_than_it_should_have(
    computers: int | None,
    wanted: int,
    too_few: bool,  # noqa: FBT001 - a column of the table
) -> None:
    deployment = a_deployment(a_body(machines=[a_machine()], names=["sql-01"], scopes=[WHOLE]))
    run = a_run(computers=computers)

    assert called_too_few(deployment, run, frozenset(f"m{n}" for n in range(wanted))) is too_few


def a_change(ago: Any, kind: str = "update", **before: str) -> ResourceChange:
    return ResourceChange(
        at=NOW - ago, kind=kind, before={name.replace("_", "."): value for name, value in before.items()}
    )


class TestBefore:
    NOWADAYS = a_machine(tags={"patch": "yes", "Env": "prod"})

    def test_what_changed_since_is_taken_back_the_newest_first(self) -> None:
        changes = [
            a_change(3 * HOUR, tags_patch="no"),
            a_change(2 * HOUR, tags_patch="maybe"),
            # Of another spelling than the tag has now; and one that was not there.
            a_change(2 * HOUR, tags_env=""),
            a_change(HOUR, location="northeurope"),
        ]

        then = at_time(self.NOWADAYS, changes, NOW - DAY)

        assert then == replace(self.NOWADAYS, tags={"patch": "no"}, location="northeurope")

    def test_what_changed_before_stays(self) -> None:
        changes = [a_change(2 * HOUR, tags_patch="no"), a_change(HOUR, tags_patch="maybe")]

        then = at_time(self.NOWADAYS, changes, NOW - 90 * MINUTE)

        assert then is not None
        assert then.tags["patch"] == "maybe"

    @pytest.mark.parametrize(
        ("code", "power"),
        [
            ("PowerState/deallocated", PowerState.DEALLOCATED),
            ("PowerState/running", PowerState.RUNNING),
            ("PowerState/strange", PowerState.UNKNOWN),
        ],
    )
    def test_a_machine_was_off_or_on(self, code: str, power: PowerState) -> None:
        change = ResourceChange(at=NOW - HOUR, kind="update", before={POWER: code})

        then = at_time(self.NOWADAYS, [change], NOW - DAY)

        assert then is not None
        assert then.power is power

    def test_before_it_was_made_there_was_no_machine(self) -> None:
        assert at_time(self.NOWADAYS, [a_change(HOUR, kind="create")], NOW - DAY) is None
        assert at_time(self.NOWADAYS, [a_change(2 * DAY, kind="create")], NOW - DAY) == self.NOWADAYS
