"""Machines of a dynamic group that beat without a worker are registered anew, one after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardrails.reach import Reach
from model.documents import Json
from model.facts import Facts, Machine, PowerState
from model.findings import Finding
from model.plans import AwaitIdentity, Declined, Plan, RunScript
from model.states import FailureState, Impact
from remediations.reregister_group_members import ReregisterGroupMembers
from tests.builders import a_body, a_finding, a_machine, an_instance_view, facts, guid, update_deployment

POOL = tuple(a_machine(f"pool-0{n}", group="rg-pool") for n in range(1, 5))
ONE, TWO = POOL[:2]


def told(machine: Machine, cause: str = "no-worker", identity: str | None = None) -> Json:
    known = guid(machine.name) if identity is None else identity
    return {"machine": machine.id, "name": machine.name, "cause": cause, "detail": "", "sourceComputerId": known}


def the_finding(*listed: Json, count: int | None = None) -> Finding:
    evidence: dict[str, Json] = {"machines": [*listed], "machineCount": len(listed) if count is None else count}
    state = FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW
    return a_finding(state, update_deployment("Weekly").lower(), name="Weekly", evidence=evidence)


def world(*pool: Machine, agent: str | None = "ProvisioningState/succeeded") -> Facts:
    return facts(
        machines=pool or POOL,
        bodies=[a_body(machines=["/subscriptions/elsewhere/x"], scopes=["/subscriptions/elsewhere"])],
        views=[an_instance_view(machine, agent=agent) for machine in pool or POOL],
    )


def test_each_gets_its_key_reset_and_its_new_identity_is_awaited_before_the_next() -> None:
    plan = ReregisterGroupMembers().plan(the_finding(told(ONE), told(TWO)), world())

    assert isinstance(plan, Plan)
    assert plan.impact is Impact.DISRUPTIVE
    assert [(type(step), getattr(step, "machine", "")) for step in plan.steps] == [
        (RunScript, ONE.arm_id),
        (AwaitIdentity, ONE.arm_id),
        (RunScript, TWO.arm_id),
        (AwaitIdentity, TWO.arm_id),
    ]
    scripts = [step for step in plan.steps if isinstance(step, RunScript)]
    assert {(one.script, one.undo_script) for one in scripts} == {
        ("windows/reset-worker-key.ps1", "windows/restore-worker-key.ps1")
    }
    # Each has a record of its own.
    assert len({one.parameters["StepId"] for one in scripts}) == 2


def test_it_reaches_those_machines_and_not_all_that_the_deployment_patches() -> None:
    read = world()
    plan = ReregisterGroupMembers().plan(the_finding(told(ONE), told(TWO)), read)

    assert isinstance(plan, Plan)
    assert Reach.of(plan, read) == Reach(machines=frozenset({ONE.id, TWO.id}), unseen=None)


@pytest.mark.parametrize(
    "finding",
    [
        the_finding(),
        the_finding(told(ONE), told(TWO, "no-agent")),
        # Its agent beats under several identities.
        the_finding(told(ONE, identity="")),
        # More than are listed.
        the_finding(told(ONE), count=51),
        the_finding(*(told(one) for one in POOL)),
    ],
)
def test_what_is_more_than_a_few_lost_workers_is_left_to_a_person(finding: Finding) -> None:
    assert isinstance(ReregisterGroupMembers().plan(finding, world()), Declined)


@pytest.mark.parametrize("two", [replace(TWO, os="Linux"), replace(TWO, power=PowerState.UNKNOWN)])
def test_one_that_no_script_reaches_leaves_all_to_a_person_and_is_named(two: Machine) -> None:
    no = ReregisterGroupMembers().plan(the_finding(told(ONE), told(two)), world(ONE, two))

    assert isinstance(no, Declined)
    assert no.reason.startswith("pool-02: ")
