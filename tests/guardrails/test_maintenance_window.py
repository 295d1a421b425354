"""What may restart services is applied inside a maintenance window of the machine, whoever applies it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from guardrails.maintenance_window import MaintenanceWindow
from guardrails.protocol import Situation
from model.facts import MachineRun, UpdateRun
from model.plans import Hold
from model.states import FailureState, Mode
from tests.builders import DAY, HOUR, MINUTE, NOW, a_body, a_finding, a_machine, a_machine_run, a_plan, a_run, facts

WEB, SQL = a_machine("web-01", os="Linux"), a_machine("sql-01", os="Linux")
PLAN = a_plan(finding=a_finding(FailureState.LINUX_RUN_FAILED, WEB.id, name=WEB.name))
BELT = MaintenanceWindow(inside=frozenset({PLAN.remediation}))
NEXT = NOW + 3 * DAY


def judged(
    *bodies: Any,
    runs: Sequence[UpdateRun] = (),
    parts: Sequence[MachineRun] = (),
    belt: MaintenanceWindow = BELT,
    **rest: Any,
) -> Hold | None:
    known = facts(machines=[WEB, SQL], bodies=bodies, runs=runs, machine_runs=parts, **rest)
    return belt.judge(PLAN, Situation(facts=known, now=NOW, mode=Mode.ACT, by_person=True))


@pytest.mark.parametrize(
    ("ago", "is_open"),
    [
        (MINUTE, True),
        (119 * MINUTE, True),
        # Two hours are over.
        (2 * HOUR, False),
        (4 * DAY, False),
        # It has not begun.
        (-MINUTE, False),
    ],
)
def test_a_window_is_open_from_the_start_of_a_run_for_as_long_as_it_was_given(ago: Any, is_open: bool) -> None:  # noqa: FBT001
    """Even where the run ended early, because it failed on the machine."""
    runs = [a_run(start=NOW - ago, status="Failed", duration=2 * HOUR)]

    assert (judged(a_body(machines=[WEB]), runs=runs) is None) is is_open


@pytest.mark.parametrize(
    ("bodies", "until"),
    [
        ([a_body(machines=[WEB], next_run=NEXT)], NEXT),
        ([a_body(machines=[WEB], next_run=NEXT), a_body("Daily", machines=[WEB], next_run=NOW + DAY)], NOW + DAY),
        # Another machine's deployment; one without a next run; one whose time has passed.
        ([a_body(machines=[SQL], next_run=NEXT)], None),
        ([a_body(machines=[WEB], next_run=None)], None),
        ([a_body(machines=[WEB], next_run=NOW - HOUR)], None),
        ([], None),
    ],
)
def test_until_then_it_is_held_with_the_time_where_one_is_known(bodies: list[Any], until: datetime | None) -> None:
    verdict = judged(*bodies)

    assert isinstance(verdict, Hold)
    assert verdict.until == until


def test_a_machine_that_a_dynamic_query_selected_has_that_deployment_s_window() -> None:
    """Its part in a run says so: the deployment does not name it."""
    body, parts = a_body("Dynamic", next_run=NEXT), [a_machine_run(WEB, of="Dynamic", status="Failed")]

    verdict = judged(body, parts=parts)

    assert isinstance(verdict, Hold)
    assert verdict.until == NEXT
    assert judged(body, parts=parts, runs=[a_run(of="Dynamic", start=NOW - HOUR)]) is None


def test_the_window_of_another_machine_is_not_this_one_s() -> None:
    assert judged(a_body(machines=[SQL]), runs=[a_run(start=NOW - HOUR)]) is not None


def test_what_restarts_nothing_waits_for_no_window() -> None:
    assert judged(a_body(machines=[WEB]), belt=MaintenanceWindow(inside=frozenset({"other"}))) is None


@pytest.mark.parametrize("reading", ["deployments", "runs", "machine-runs"])
def test_where_a_window_cannot_be_told_it_holds(reading: str) -> None:
    runs = [a_run(start=NOW - HOUR)]

    assert judged(a_body(machines=[WEB]), runs=runs, unreadable={reading: "429"}) is not None
