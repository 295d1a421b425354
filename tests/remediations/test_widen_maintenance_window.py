"""A deployment gets a longer maintenance window."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.deployments import body_to_put
from model.documents import Document, at, differences
from model.facts import Facts
from model.plans import Declined, Plan, PutDeployment
from model.states import FailureState, Impact
from remediations.widen_maintenance_window import WidenMaintenanceWindow, wider_window
from tests.builders import (
    DAY,
    ELSEWHERE,
    HOUR,
    MINUTE,
    NOW,
    SUBSCRIPTION,
    a_body,
    a_finding,
    a_machine,
    facts,
    update_deployment,
)
from tests.remediations.bodies import bodies

WEB, SQL = a_machine("web-01"), a_machine("sql-01", group="rg-data")
FINDING = a_finding(FailureState.MAINTENANCE_WINDOW_EXCEEDED, update_deployment("Weekly").lower(), name="Weekly")
RUN = NOW + 3 * DAY
"""When the deployment runs next: Friday at six."""
DURATION = "properties.updateConfiguration.duration"


def weekly(**fields: Any) -> Document:
    return a_body(**{"machines": [WEB], "next_run": RUN, **fields})


def planned(facts_: Facts, maximum: timedelta = 6 * HOUR) -> Plan | Declined:
    return WidenMaintenanceWindow(maximum=maximum).plan(FINDING, facts_)


def put(facts_: Facts, maximum: timedelta = 6 * HOUR) -> PutDeployment:
    plan = planned(facts_, maximum)
    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert isinstance(step, PutDeployment)
    return step


def declined(facts_: Facts, maximum: timedelta = 6 * HOUR) -> str:
    answer = planned(facts_, maximum)
    assert isinstance(answer, Declined)
    return answer.reason


@pytest.mark.parametrize(
    ("present", "wider"),
    [
        (30, 90),
        (45, 120),
        (60, 120),
        (90, 150),
        # Up to two hours an hour more is the larger step, from there half as much again.
        (120, 180),
        (121, 210),
        (150, 240),
        (180, 270),
        (200, 300),
        (230, 360),
        (239, 360),
        # Azure's maximum is six hours.
        (240, 360),
        (241, 360),
        (270, 360),
        (359, 360),
    ],
)
def test_the_next_size_of_a_window_is_an_hour_more_or_half_as_much_again(present: int, wider: int) -> None:
    """In whole half hours, six hours at most; `PT3H` style, as Automation documents it."""
    step = put(facts(bodies=[weekly(duration=present * MINUTE)]))

    hours, minutes = divmod(wider, 60)
    assert at(step.after, DURATION) == f"PT{hours}H" + (f"{minutes}M" if minutes else "")


@given(st.integers(30, 359).map(lambda minutes: minutes * MINUTE))
def test_a_wider_window_is_wider_by_an_hour_or_half_and_no_half_hour_more_than_that(present: timedelta) -> None:
    wider = wider_window(present)

    assert wider % (30 * MINUTE) == timedelta(0)
    assert wider >= present + HOUR
    assert wider >= present * 3 / 2
    assert wider - 30 * MINUTE < max(present + HOUR, present * 3 / 2)


@pytest.mark.parametrize(
    ("present", "maximum"),
    [(6 * HOUR, 6 * HOUR), (7 * HOUR, 6 * HOUR), (3 * HOUR, 3 * HOUR), (4 * HOUR, 3 * HOUR)],
)
def test_at_the_maximum_a_person_is_told_what_to_do(present: timedelta, maximum: timedelta) -> None:
    """Split the deployment, download before the window, leave out what takes longest."""
    answer = planned(facts(bodies=[weekly(duration=present, machines=[WEB, SQL])]), maximum)

    assert isinstance(answer, Declined)
    assert "none is made longer" in answer.reason
    assert len(answer.advice.steps) == 3
    assert "Split Weekly: give some of its 2 machines" in answer.advice.steps[0]


def test_nobody_is_told_to_split_a_single_machine() -> None:
    answer = planned(facts(bodies=[weekly(duration=6 * HOUR)]))

    assert isinstance(answer, Declined)
    assert not any("Split" in step for step in answer.advice.steps)


def test_at_the_maximum_the_advice_does_not_wait_for_a_better_moment() -> None:
    """However near the next run is: nothing is edited anyway."""
    assert "none is made longer" in declined(facts(bodies=[weekly(duration=6 * HOUR, next_run=NOW + MINUTE)]))


def test_a_lower_maximum_of_the_site_is_kept() -> None:
    assert at(put(facts(bodies=[weekly(duration=2 * HOUR)]), maximum=150 * MINUTE).after, DURATION) == "PT2H30M"


def test_the_plan_is_one_put_that_changes_duration_and_start_and_nothing_else() -> None:
    body = weekly()
    plan = planned(facts(bodies=[body]))

    assert isinstance(plan, Plan)
    assert (plan.remediation, plan.impact, plan.group) == ("widen-maintenance-window", Impact.REVERSIBLE, "")
    (step,) = plan.steps
    assert isinstance(step, PutDeployment)
    assert (step.deployment, step.restores) == (update_deployment("Weekly"), False)
    assert step.before == body
    assert {(c.field, c.before, c.after) for c in differences(body_to_put(body), step.after)} == {
        (DURATION, "PT2H", "PT3H"),
        ("properties.scheduleInfo.startTime", "2026-01-09T06:00:00.0000000+00:00", "2026-03-13T06:00:00+00:00"),
    }


@given(bodies(durations=st.sampled_from([30 * MINUTE, 2 * HOUR, 5 * HOUR])))
def test_whatever_a_deployment_holds_only_duration_and_start_change(body: Document) -> None:
    """Unknown properties, nulls and the order of lists survive."""
    original = copy.deepcopy(body)
    body["id"] = original["id"] = update_deployment("Weekly")
    step = put(facts(bodies=[body]))

    assert body == original
    changed = {change.field for change in differences(body_to_put(original), step.after)}
    assert changed == {DURATION, "properties.scheduleInfo.startTime"}
    expected = body_to_put(original)
    for place, name in (("updateConfiguration", "duration"), ("scheduleInfo", "startTime")):
        there = at(expected, f"properties.{place}")
        assert isinstance(there, dict)
        there[name] = at(step.after, f"properties.{place}.{name}")
    assert step.after == expected


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (weekly(next_run=NOW + 15 * MINUTE - timedelta(seconds=1)), "wait until it is over"),
        (weekly(state="Provisioning"), "is not settled"),
        (weekly(zone="Nowhere", offset=None), "cannot be worked out"),
        (weekly(next_run=None), "has no next run"),
        (weekly(duration=None), "its window could not be read"),
    ],
)
def test_it_obeys_the_rules_of_every_edit(body: Document, why: str) -> None:
    assert why in declined(facts(bodies=[body]))


def test_a_quarter_of_an_hour_ahead_is_early_enough() -> None:
    assert at(put(facts(bodies=[weekly(next_run=NOW + 15 * MINUTE)])).after, DURATION) == "PT3H"


WHOLE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{WHOLE}/resourceGroups/rg-web"

OVERLAPS: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    # what the case is about, our deployment, the other one, whether they would meet
    # Ours runs from six to eight now, and from six to nine then.
    ("in the added hour", {}, {"next_run": RUN + 150 * MINUTE}, True),
    ("at its very beginning", {}, {"next_run": RUN + 2 * HOUR}, True),
    ("a minute before its end", {}, {"next_run": RUN + 179 * MINUTE}, True),
    ("as it ends", {}, {"next_run": RUN + 3 * HOUR}, False),
    ("long after", {}, {"next_run": RUN + DAY}, False),
    ("over before ours begins", {}, {"next_run": RUN - 2 * HOUR, "frequency": "Month"}, False),
    # What overlaps today is not this edit's doing.
    ("in the present window", {}, {"next_run": RUN + HOUR}, False),
    ("begun before ours, and not over", {}, {"next_run": RUN - HOUR, "frequency": "Month"}, False),
    # What recurs meets the window on a later date, too.
    ("daily, next today", {}, {"next_run": RUN - 2 * DAY + 150 * MINUTE, "frequency": "Day"}, True),
    ("daily, at another time of day", {}, {"next_run": RUN - 2 * DAY + 5 * HOUR, "frequency": "Day"}, False),
    ("daily, and overlapping today already", {}, {"next_run": RUN - 2 * DAY + HOUR, "frequency": "Day"}, False),
    ("weekly, a week before a monthly one", {"frequency": "Month", "next_run": RUN + 14 * DAY},
     {"next_run": RUN + 150 * MINUTE}, True),
    ("weekly, on another day", {"frequency": "Month", "next_run": RUN + 14 * DAY}, {"next_run": RUN + DAY}, False),
    ("once, earlier", {}, {"next_run": RUN - 2 * DAY + 150 * MINUTE, "frequency": "OneTime"}, False),
    ("monthly, earlier", {}, {"next_run": RUN - 2 * DAY + 150 * MINUTE, "frequency": "Month"}, False),
    ("without a next run", {}, {"next_run": None}, False),
    # Whom both patch.
    ("other machines", {}, {"machines": [SQL]}, False),
    ("a machine of the same name in another group", {}, {"machines": [a_machine("web-01", group="rg-b")]}, False),
    ("the same machine, spelled otherwise", {}, {"machines": [WEB.id.upper()]}, True),
    ("the same name outside Azure", {"names": ["Onprem-01"]}, {"machines": [], "names": ["onprem-01"]}, True),
    ("another name outside Azure", {"names": ["onprem-02"]}, {"machines": [], "names": ["onprem-01"]}, False),
    # A dynamic query may select whatever its scope encloses.
    ("theirs may select our machine", {}, {"machines": [], "scopes": [GROUP]}, True),
    ("theirs selects elsewhere", {}, {"machines": [], "scopes": [f"{WHOLE}/resourceGroups/rg-we"]}, False),
    ("ours may select their machine", {"machines": [], "scopes": [WHOLE]}, {"machines": [SQL]}, True),
    ("both may select the same", {"machines": [], "scopes": [GROUP]}, {"machines": [], "scopes": [WHOLE]}, True),
    ("in different subscriptions", {"machines": [], "scopes": [WHOLE]},
     {"machines": [], "scopes": [f"/subscriptions/{ELSEWHERE}"]}, False),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "meet"), [row[1:] for row in OVERLAPS], ids=[row[0] for row in OVERLAPS])
def test_a_window_is_not_widened_into_another_deployment_of_the_same_machines(
    ours: dict[str, Any],
    theirs: dict[str, Any],
    meet: bool,  # noqa: FBT001
) -> None:
    other = a_body("Other", **{"machines": [WEB], "next_run": RUN + 150 * MINUTE, **theirs})
    facts_ = facts(machines=[WEB, SQL], bodies=[weekly(**ours), other])

    if meet:
        assert "would meet Other" in declined(facts_)
    else:
        assert at(put(facts_).after, DURATION) == "PT3H"


def test_deployments_of_two_operating_systems_never_share_a_machine() -> None:
    """A dynamic query selects machines of its deployment's own system only."""
    linux = a_body("Other", scopes=[WHOLE], next_run=RUN + 150 * MINUTE)
    configuration = at(linux, "properties.updateConfiguration")
    assert isinstance(configuration, dict)
    configuration["operatingSystem"] = "Linux"

    assert at(put(facts(bodies=[weekly(scopes=[WHOLE]), linux])).after, DURATION) == "PT3H"


def test_whom_both_patch_is_named() -> None:
    many = [a_machine(f"m-{n}") for n in range(5)]
    other = a_body("Other", machines=many, next_run=RUN + 150 * MINUTE)

    why = declined(facts(machines=many, bodies=[weekly(machines=many), other]))

    assert why.startswith("a window of 3 h from 2026-03-13 06:00 UTC would meet Other at 2026-03-13 08:30 UTC on ")
    assert why.endswith("on m-0, m-1, m-2 and 2 more")


def test_it_is_verified_when_the_next_run_has_had_its_whole_window() -> None:
    plan = planned(facts(bodies=[weekly()]))

    assert isinstance(plan, Plan)
    assert plan.settle.due(applied=NOW) == RUN + 3 * HOUR + 30 * MINUTE
