"""The second look before anything is changed: is the plan made now the plan that was saved?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.compare import edited, moved, target_of
from model.deployments import body_to_put
from model.documents import Document
from model.plans import (
    AwaitIdentity,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
)
from tests.builders import HOUR, MINUTE, NOW, SCOPE_SEARCH, a_body, a_finding, a_plan, a_saved_search, update_deployment

WEEKLY = update_deployment("Weekly").lower()


def put(before: Document, after: Document | None = None) -> PutDeployment:
    return PutDeployment(deployment=update_deployment("Weekly"), before=before, after=after or body_to_put(before))


def search(before: str, after: str = "without") -> PutSavedSearch:
    return PutSavedSearch(
        saved_search=SCOPE_SEARCH, before=a_saved_search(before).document, after=a_saved_search(after).document
    )


SCRIPT = RunScript(machine="/m/One", location="here", script="windows/a.ps1", parameters={"StepId": "1"})
WAIT = AwaitIdentity(machine="/m/One", workspace_guid="w", not_source_computer_id="old")
START = StartMachine(machine="/m/One", power_before="deallocated")
QUOTA = SetDailyQuota(workspace="/w/One", gb_before=1.0, gb_after=2.0)
REGISTER = RegisterProvider(subscription="s", namespace="N", state_before="NotRegistered")
BODY = a_body()


@pytest.mark.parametrize(
    "step", [put(BODY), search("x"), SCRIPT, WAIT, REGISTER, START, QUOTA], ids=lambda step: type(step).__name__
)
def test_the_same_plan_has_not_moved(step: Step) -> None:
    assert moved(a_plan(step), a_plan(step), {}) is None


@pytest.mark.parametrize(
    ("saved", "fresh", "field"),
    [
        (put(BODY), put(a_body(duration=3 * HOUR)), "before.properties.updateConfiguration.duration"),
        (put(BODY), put(a_body(edited=NOW)), "before.properties.lastModifiedTime"),
        (put(BODY, {"properties": {"a": 1}}), put(BODY, {"properties": {"a": 2}}), "after.properties.a"),
        (put(BODY), replace(put(BODY), deployment=update_deployment("Other")), "target"),
        (search("x"), search("y"), "before.properties.query"),
        (search("x", "a"), search("x", "b"), "after.properties.query"),
        (search("x"), replace(search("x"), saved_search="other"), "target"),
        (SCRIPT, replace(SCRIPT, parameters={"StepId": "2"}), "parameters.StepId"),
        (SCRIPT, replace(SCRIPT, script="windows/b.ps1"), "script"),
        (SCRIPT, replace(SCRIPT, machine="/m/two"), "target"),
        (WAIT, replace(WAIT, not_source_computer_id="new"), ""),
        (REGISTER, replace(REGISTER, state_before="Unregistered"), "registrationState"),
        (REGISTER, replace(REGISTER, subscription="t"), "target"),
        (START, replace(START, power_before="stopped"), "power"),
        (START, replace(START, machine="/m/two"), "target"),
        (QUOTA, replace(QUOTA, gb_before=1.5), "before.dailyQuotaGb"),
        (QUOTA, replace(QUOTA, gb_after=2.5), "after.dailyQuotaGb"),
        (QUOTA, replace(QUOTA, workspace="/w/two"), "target"),
        (SCRIPT, WAIT, "target"),
    ],
)
def test_a_step_that_differs_is_named(saved: Step, fresh: Step, field: str) -> None:
    change = moved(a_plan(saved), a_plan(fresh), {})

    assert change is not None
    assert change.field == f"steps[0].{field}"


@pytest.mark.parametrize(
    "fresh",
    [
        replace(SCRIPT, machine="/M/ONE", location="there", time_out=MINUTE),
        replace(SCRIPT, undo_script="windows/c.ps1"),
    ],
)
def test_spelling_and_what_does_not_change_the_deed_do_not_matter(fresh: Step) -> None:
    assert moved(a_plan(SCRIPT), a_plan(fresh), {}) is None


def test_reasons_and_evidence_are_for_people() -> None:
    saved = a_plan(REGISTER)
    fresh = replace(saved, reason="otherwise", finding=a_finding(evidence={"seen": "again"}), risk="more")

    assert moved(saved, fresh, {}) is None


def test_another_remediation_or_another_number_of_steps_is_another_plan() -> None:
    other = moved(a_plan(REGISTER), replace(a_plan(REGISTER), remediation="other"), {})
    longer = moved(a_plan(REGISTER), a_plan(REGISTER, REGISTER), {})

    assert other is not None
    assert longer is not None
    assert (other.field, longer.field) == ("remediation", "steps")


class TestOurOwnHand:
    OURS: Document = body_to_put(a_body(duration=3 * HOUR))
    NOW_THERE = a_body(duration=3 * HOUR, edited=NOW)

    def test_what_this_run_wrote_is_no_difference(self) -> None:
        after = body_to_put(a_body(duration=4 * HOUR))

        assert moved(a_plan(put(BODY, after)), a_plan(put(self.NOW_THERE, after)), {WEEKLY: self.OURS}) is None
        assert edited(a_plan(put(BODY, after)), {WEEKLY: self.NOW_THERE}, {WEEKLY: self.OURS}) is None

    def test_what_somebody_made_of_it_is_one(self) -> None:
        theirs = a_body(duration=5 * HOUR, edited=NOW)
        change = moved(a_plan(put(BODY)), a_plan(put(theirs, body_to_put(BODY))), {WEEKLY: self.OURS})

        assert change is not None
        assert (change.before, change.after) == ("PT2H", "PT5H")

    def test_a_second_step_at_the_same_place_meets_what_the_plan_made_of_it(self) -> None:
        """Its `before` is planned, not read."""
        without: Document = body_to_put(a_body(names=["x"]))
        plan = a_plan(put(BODY, without), put(without, self.OURS))

        assert moved(plan, plan, {WEEKLY: self.OURS}) is None


def test_what_was_edited_is_told_where_no_plan_can_be_made_any_more() -> None:
    without: Document = body_to_put(a_body(names=["x"]))
    plan = a_plan(put(BODY, without), put(without, body_to_put(BODY)))

    change = edited(plan, {WEEKLY: a_body(enabled=False)}, {})

    assert change is not None
    assert change.field == "steps[0].before.properties.scheduleInfo.isEnabled"
    assert edited(plan, {WEEKLY: BODY}, {}) is None
    assert edited(plan, {}, {}) is None
    assert edited(a_plan(REGISTER), {WEEKLY: BODY}, {}) is None


@pytest.mark.parametrize(
    ("step", "target"),
    [
        (put(BODY), WEEKLY),
        (search("x"), SCOPE_SEARCH.lower()),
        (SCRIPT, "/m/one"),
        (WAIT, "/m/one"),
        (REGISTER, "/subscriptions/s/providers/n"),
    ],
)
def test_what_a_step_is_about(step: Any, target: str) -> None:
    assert target_of(step) == target
