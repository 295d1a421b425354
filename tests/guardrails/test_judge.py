"""All belts judge, and the tightest wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guardrails import Guardrail, Policy, Situation, guardrails, judge
from guardrails.blast_radius import BlastRadius
from guardrails.log_lag import LogLag
from guardrails.update_run import UpdateRun
from model.plans import Allow, Hold, Plan, PutDeployment, Refuse, Verdict
from model.states import Mode
from tests.builders import DAY, ELSEWHERE, HOUR, NOW, a_finding, a_plan, facts, update_deployment

PLAN = a_plan()


@dataclass(frozen=True)
class Says:
    """A belt that always says the same."""

    answer: Hold | Refuse | None

    def judge(self, plan: Plan, situation: Situation) -> Hold | Refuse | None:
        del plan, situation
        return self.answer


@dataclass(frozen=True)
class BrokenBelt:
    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        raise KeyError("a field that Azure left out")


SCOPE = Refuse(guardrail="scope", reason="outside")
TAG = Refuse(guardrail="tag", reason="tagged")
MODE = Hold(guardrail="mode", reason="observe")
SOON = Hold(guardrail="cool-down", reason="an hour", until=NOW + HOUR)
LATE = Hold(guardrail="freeze", reason="a day", until=NOW + DAY)


def known(**rest: Any) -> Situation:
    return Situation(facts=facts(), mode=Mode.ACT, by_person=False, now=NOW, **rest)


def judged(*answers: Hold | Refuse | None) -> Verdict:
    return judge(PLAN, known(), [Says(answer) for answer in answers])


def named(verdict: Verdict) -> tuple[str, tuple[str, ...]]:
    assert not isinstance(verdict, Allow)
    return verdict.guardrail, verdict.also


def test_where_none_objects_the_plan_is_allowed() -> None:
    assert judged(None, None) == Allow()


def test_a_plan_whose_reach_cannot_be_found_out_is_held_by_every_belt_that_needs_it() -> None:
    broken: Any = []
    plan = a_plan(PutDeployment(deployment=update_deployment("Weekly"), before=broken, after={}))

    belts: list[Guardrail] = [UpdateRun(), BlastRadius(machines=5), LogLag(most=HOUR)]
    verdict = judge(plan, known(from_logs=True), belts)

    assert isinstance(verdict, Hold)
    assert verdict.reason.startswith("could not be evaluated")
    assert len(verdict.also) == 2


def test_a_refusal_is_tighter_than_a_hold_wherever_it_stands() -> None:
    assert named(judged(MODE, LATE, SCOPE)) == ("scope", ("mode: observe", "freeze: a day"))
    assert isinstance(judged(MODE, LATE, SCOPE), Refuse)


def test_a_hold_that_no_time_ends_is_tighter_than_one_that_ends() -> None:
    """Whoever waited for the time would wait in vain."""
    verdict = judged(SOON, MODE)

    assert named(verdict) == ("mode", ("cool-down: an hour",))
    assert isinstance(verdict, Hold)
    assert verdict.until is None


def test_of_those_that_end_the_longest_counts() -> None:
    verdict = judged(SOON, LATE)

    assert named(verdict) == ("freeze", ("cool-down: an hour",))
    assert isinstance(verdict, Hold)
    assert verdict.until == NOW + DAY


def test_among_equals_the_first_is_named() -> None:
    assert named(judged(SCOPE, TAG))[0] == "scope"


def test_a_belt_that_stumbles_holds_and_is_named() -> None:
    belts: tuple[Guardrail, ...] = (BrokenBelt(), Says(None))

    verdict = judge(PLAN, known(), belts)

    assert isinstance(verdict, Hold)
    assert verdict.guardrail == "broken-belt"
    assert "a field that Azure left out" in verdict.reason


def test_every_belt_is_on_by_default() -> None:
    """A plan against everything at once: each belt that can object from a situation alone does."""
    plan = a_plan(finding=a_finding(target=f"/subscriptions/{ELSEWHERE}"))
    situation = Situation(
        facts=facts(now=NOW - 2 * HOUR),
        mode=Mode.OBSERVE,
        by_person=False,
        now=NOW,
        in_treatment_by="other",
        storm_ends=NOW + HOUR,
        failures=3,
        failed_first=frozenset({plan.remediation}),
    )

    verdict = judge(plan, situation, guardrails(Policy()))

    name, others = named(verdict)
    assert [name, *(other.split(":")[0] for other in others)] == [
        "scope",
        "mode",
        "storm-gate",
        "cool-down",
        "stale-facts",
        "canary",
        "error-budget",
    ]
