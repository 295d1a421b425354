"""A plan that stands on an absence waits until the absence is an hour old."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from guardrails import Situation
from guardrails.second_look import SecondLook
from model.plans import Hold
from model.states import FailureState, Mode
from tests.builders import HOUR, MINUTE, NOW, a_finding, a_plan, facts, vm

GONE = a_finding(FailureState.VM_DELETED, vm("sql-01").lower())


def judged(since: datetime | None, state: FailureState = FailureState.VM_DELETED) -> Hold | None:
    plan = a_plan(finding=replace(GONE, since=since, state=state))
    return SecondLook().judge(plan, Situation(facts=facts(), now=NOW, mode=Mode.ACT, by_person=True))


# An hour is enough, 59 minutes are not; nor does it help that a person asks.
@pytest.mark.parametrize(("ago", "holds"), [(HOUR, 0), (5 * HOUR, 0), (59 * MINUTE, 1), (timedelta(0), 1)])
def test_the_two_looks_are_an_hour_apart(ago: timedelta, holds: int) -> None:
    hold = judged(NOW - ago)
    assert (hold is not None) == holds
    if hold:
        assert hold.until == NOW - ago + HOUR


def test_an_absence_of_unknown_age_is_for_a_person() -> None:
    hold = judged(None)
    assert hold is not None
    assert hold.until is None


@pytest.mark.parametrize("state", [state for state in FailureState if state is not FailureState.VM_DELETED])
def test_what_stands_on_something_seen_is_not_held(state: FailureState) -> None:
    assert judged(NOW, state) is None
