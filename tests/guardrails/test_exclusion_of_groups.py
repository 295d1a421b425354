"""An owner keeps a whole resource group or subscription out by the tag that keeps out a machine."""

from __future__ import annotations

import pytest

from guardrails import Situation
from guardrails.exclusion_tag import ExclusionTag
from model.facts import Container
from model.plans import Hold, Plan, PutDeployment, Refuse, RunScript
from model.states import FailureState, Mode
from tests.builders import (
    ACCOUNT,
    NOW,
    SUBSCRIPTION,
    a_body,
    a_finding,
    a_machine,
    a_plan,
    facts,
    update_deployment,
)

WEB = a_machine("web-01", group="rg-web")
TAG = "patchwright-exclude"
WHOLE, WEBS, OPS = "", "/resourcegroups/rg-web", "/resourcegroups/rg-ops"


def repair() -> Plan:
    step = RunScript(machine=WEB.arm_id, location="", script="x.ps1", parameters={})
    return a_plan(step, finding=a_finding(FailureState.CLONED_MACHINE, WEB.id, name="web-01"))


def widening() -> Plan:
    """A plan for a deployment, which lies in the group of the Automation account."""
    finding = a_finding(FailureState.MAINTENANCE_WINDOW_EXCEEDED, update_deployment("Weekly").lower())
    return a_plan(PutDeployment(deployment=update_deployment("Weekly"), before={}, after={}), finding=finding)


def judged(plan: Plan, tags: dict[str, dict[str, str]], own: dict[str, str] | None = None) -> Hold | Refuse | None:
    containers = [
        Container(id=f"/subscriptions/{SUBSCRIPTION}{below}", name=below.rsplit("/", 1)[-1] or "Production", tags=found)
        for below, found in tags.items()
    ]
    machine = a_machine("web-01", group="rg-web", tags=own)
    known = facts(machines=[machine], bodies=[a_body(machines=[machine])], containers=containers)
    return ExclusionTag(tag=TAG).judge(plan, Situation(facts=known, mode=Mode.ACT, by_person=True, now=NOW))


def test_a_machine_that_a_deployment_names_only_afterwards_is_out_with_its_group() -> None:
    """The finding is about where it was, and the tag is where it is now."""
    gone = a_machine("web-01", group="rg-before")
    step = PutDeployment(
        deployment=update_deployment("Weekly"), before=a_body(machines=[gone]), after=a_body(machines=[WEB])
    )
    answer = judged(a_plan(step, finding=a_finding(FailureState.VM_MOVED, gone.id)), {WEBS: {TAG: "yes"}})
    assert isinstance(answer, Refuse)
    assert "the resource group rg-web" in answer.reason


@pytest.mark.parametrize(
    ("tags", "own", "carrier"),
    [
        ({}, {}, None),
        ({WEBS: {TAG: "yes"}}, {}, "the resource group rg-web"),
        ({WEBS: {TAG.upper(): ""}}, {}, "the resource group rg-web"),
        ({WHOLE: {TAG: "yes"}}, {}, "the subscription Production"),
        # Another group's tag is its own.
        ({"/resourcegroups/rg-data": {TAG: "yes"}}, {}, None),
        # The nearest tag counts, from the inside out.
        ({WEBS: {TAG: "yes"}}, {TAG: "false"}, None),
        ({WHOLE: {TAG: "yes"}, WEBS: {TAG: "false"}}, {}, None),
        ({WHOLE: {TAG: "false"}, WEBS: {TAG: "yes"}}, {}, "the resource group rg-web"),
        ({WEBS: {TAG: "false"}}, {TAG: "yes"}, "web-01"),
    ],
)
def test_a_machine_is_out_with_what_it_lies_in(
    tags: dict[str, dict[str, str]], own: dict[str, str], carrier: str | None
) -> None:
    answer = judged(repair(), tags, own)

    expected = Refuse(guardrail="exclusion-tag", reason=f"{carrier} carries the tag {TAG}") if carrier else None
    assert answer == expected


@pytest.mark.parametrize(("below", "expected"), [(OPS, True), (WEBS, True), ("/resourcegroups/rg-data", False)])
def test_a_deployment_is_out_with_its_own_group_and_with_those_of_its_machines(below: str, expected: bool) -> None:  # noqa: FBT001
    assert ACCOUNT.lower().startswith(f"/subscriptions/{SUBSCRIPTION}{OPS}")

    assert isinstance(judged(widening(), {below: {TAG: "1"}}), Refuse) is expected


def test_where_the_groups_tags_could_not_be_read_it_holds() -> None:
    known = facts(machines=[WEB], unreadable={"resource-containers": "403"})

    answer = ExclusionTag(tag=TAG).judge(repair(), Situation(facts=known, mode=Mode.ACT, by_person=True, now=NOW))

    assert isinstance(answer, Hold)
    assert "403" in answer.reason
