"""Each belt: what it lets pass, what it holds or refuses, and that it holds where it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from guardrails import Situation
from guardrails.blast_radius import BlastRadius
from guardrails.exclusion_tag import ExclusionTag
from guardrails.mode_of_state import ModeOfState
from guardrails.protocol import Guardrail
from guardrails.scope import Scope
from guardrails.update_run import UpdateRun
from model.deployments import body_to_put
from model.facts import Facts, Machine
from model.plans import (
    AwaitIdentity,
    Hold,
    Plan,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    StartMachine,
)
from model.states import FailureState, Mode
from tests.builders import (
    DAY,
    ELSEWHERE,
    HOUR,
    NOW,
    SCOPE_SEARCH,
    SUBSCRIPTION,
    a_body,
    a_finding,
    a_machine,
    a_machine_run,
    a_plan,
    a_run,
    facts,
    update_deployment,
    vm,
)

WEB, SQL, LINUX = a_machine("web-01"), a_machine("sql-01", group="rg-data"), a_machine("lin-01", os="Linux")
FAR = a_machine("far-01", subscription=ELSEWHERE)
WHOLE = f"/subscriptions/{SUBSCRIPTION}"


def on(machine: Machine, *steps: Any) -> Plan:
    """A plan that repairs one machine."""
    return a_plan(
        *(steps or [script(machine)]), finding=a_finding(FailureState.CLONED_MACHINE, machine.id, name=machine.name)
    )


def widening(name: str = "Weekly") -> Plan:
    """A plan that edits a deployment, and so concerns all that it patches."""
    finding = a_finding(FailureState.MAINTENANCE_WINDOW_EXCEEDED, update_deployment(name).lower(), name=name)
    return a_plan(put(name), finding=finding)


def put(name: str = "Weekly") -> PutDeployment:
    return PutDeployment(deployment=update_deployment(name), before={}, after={})


def script(machine: Machine) -> RunScript:
    return RunScript(machine=machine.arm_id, location="", script="windows/x.ps1", parameters={})


def registering(subscription: str = SUBSCRIPTION) -> Plan:
    return a_plan(RegisterProvider(subscription=subscription, namespace="Microsoft.Automation", state_before=""))


def verdict(
    belt: Guardrail,
    plan: Plan,
    facts_: Facts,
    *,
    mode: Mode = Mode.ACT,
    by_person: bool = False,
    **rest: Any,
) -> str:
    answer = belt.judge(plan, Situation(facts=facts_, mode=mode, by_person=by_person, **{"now": NOW, **rest}))
    return "pass" if answer is None else "hold" if isinstance(answer, Hold) else "refuse"


class TestScope:
    @pytest.mark.parametrize(
        ("plan", "expected"),
        [
            (registering(), "pass"),
            (registering(SUBSCRIPTION.upper()), "pass"),
            (registering(ELSEWHERE), "refuse"),
            (on(WEB), "pass"),
            (on(FAR), "refuse"),
            (widening(), "pass"),
            (a_plan(PutDeployment(deployment=f"/subscriptions/{ELSEWHERE}/x/y", before={}, after={})), "refuse"),
            (a_plan(PutSavedSearch(saved_search=SCOPE_SEARCH, before={}, after={})), "pass"),
            (a_plan(PutSavedSearch(saved_search="law/savedSearches/x", before={}, after={})), "refuse"),
            # One step outside is enough.
            (on(WEB, script(WEB), script(FAR)), "refuse"),
            (on(WEB, StartMachine(machine=FAR.arm_id, power_before="stopped")), "refuse"),
            # Waiting changes nothing.
            (on(WEB, AwaitIdentity(machine=FAR.arm_id, workspace_guid="", not_source_computer_id="")), "pass"),
        ],
    )  # fmt: skip
    def test_nothing_outside_the_configured_subscriptions_is_changed(self, plan: Plan, expected: str) -> None:
        assert verdict(Scope(), plan, facts(machines=[WEB, FAR])) == expected

    def test_without_subscriptions_nothing_is_in_scope(self) -> None:
        """An empty selection selects nothing."""
        assert verdict(Scope(), registering(), facts(subscriptions=[])) == "refuse"


class TestExclusionTag:
    def tagged(self, tags: Mapping[str, str]) -> Facts:
        return facts(machines=[a_machine("web-01", tags=tags)])

    @pytest.mark.parametrize(
        ("tags", "expected"),
        [
            ({}, "pass"),
            ({"patchwright-exclude": "true"}, "refuse"),
            ({"patchwright-exclude": ""}, "refuse"),
            ({"patchwright-exclude": "until June"}, "refuse"),
            ({"patchwright-exclude": "false"}, "pass"),
            ({"patchwright-exclude": " False "}, "pass"),
            # Azure's tag names know no case.
            ({"Patchwright-Exclude": "yes"}, "refuse"),
            ({"patchwright-excluded": "yes"}, "pass"),
        ],
    )
    def test_an_owner_keeps_a_machine_out_by_a_tag(self, tags: dict[str, str], expected: str) -> None:
        assert verdict(ExclusionTag(tag="patchwright-exclude"), on(WEB), self.tagged(tags)) == expected

    def test_which_tag_it_is_can_be_set(self) -> None:
        assert verdict(ExclusionTag(tag="Hands-Off"), on(WEB), self.tagged({"hands-off": "1"})) == "refuse"

    @pytest.mark.parametrize(
        ("machines", "body", "expected"),
        [
            ([WEB, a_machine("kept", tags={"keep": "1"})], {"machines": [WEB]}, "pass"),
            ([WEB, a_machine("kept", tags={"keep": "1"})], {"machines": [WEB, vm("kept")]}, "refuse"),
            # A dynamic query may select it.
            ([a_machine("kept", tags={"keep": "1"})], {"scopes": [WHOLE]}, "refuse"),
            ([a_machine("kept", tags={"keep": "1"})], {"scopes": [f"{WHOLE}/resourceGroups/rg-data"]}, "pass"),
            ([a_machine("kept", tags={"keep": "1"}, os="Linux")], {"scopes": [WHOLE]}, "pass"),
            # Gone from the inventory: what does not exist has no tags. Outside of it: nobody can tell.
            ([], {"machines": [WEB]}, "pass"),
            ([], {"machines": [FAR]}, "hold"),
            ([], {"machines": ["web-01"]}, "hold"),
            ([], {"scopes": [f"/subscriptions/{ELSEWHERE}"]}, "hold"),
        ],
    )
    def test_a_deployment_is_out_where_one_of_its_machines_is(
        self, machines: list[Machine], body: dict[str, Any], expected: str
    ) -> None:
        assert (
            verdict(ExclusionTag(tag="keep"), widening(), facts(machines=machines, bodies=[a_body(**body)])) == expected
        )

    @pytest.mark.parametrize("plan", [on(WEB), widening()])
    def test_where_tags_could_not_be_read_it_holds(self, plan: Plan) -> None:
        facts_ = facts(bodies=[a_body(machines=[WEB])], unreadable={"machines": "429"})

        assert verdict(ExclusionTag(tag="keep"), plan, facts_) == "hold"
        assert verdict(ExclusionTag(tag="keep"), registering(), facts_) == "pass"


@pytest.mark.parametrize(
    ("mode", "by_person", "expected"),
    [
        (Mode.ACT, False, "pass"),
        (Mode.ACT, True, "pass"),
        (Mode.ASK, True, "pass"),
        (Mode.ASK, False, "hold"),
        (Mode.OBSERVE, False, "hold"),
        (Mode.OBSERVE, True, "hold"),
        (Mode.OFF, True, "hold"),
    ],
)
def test_the_mode_of_a_state_says_how_far_to_go(mode: Mode, by_person: bool, expected: str) -> None:  # noqa: FBT001
    """`observe` only looks, whoever asks."""
    assert verdict(ModeOfState(), registering(), facts(), mode=mode, by_person=by_person) == expected


class TestUpdateRun:
    @pytest.mark.parametrize(
        ("plan", "runs", "parts", "expected"),
        [
            (widening(), [], [], "pass"),
            (widening(), [a_run(status="InProgress")], [], "hold"),
            (widening(), [a_run(status="NotStarted")], [], "hold"),
            (widening(), [a_run(status="Succeeded")], [], "pass"),
            (widening(), [a_run(of="Other", status="InProgress")], [], "pass"),
            # The machine it touches is patched by another deployment.
            (widening(), [a_run(of="Other", status="InProgress")],
             [a_machine_run(WEB, of="Other", status="InProgress")], "hold"),
            (on(WEB), [], [a_machine_run(WEB, status="InProgress")], "hold"),
            (on(WEB), [], [a_machine_run(WEB, status="NotStarted")], "hold"),
            (on(WEB), [], [a_machine_run(SQL, status="InProgress")], "pass"),
            (on(WEB), [], [a_machine_run(WEB, status="Failed")], "pass"),
            # A repair of a machine edits deployments, too.
            (on(WEB, put("Other")), [a_run(of="Other", status="InProgress")], [], "hold"),
            # Whatever a part says of itself, it ends with its run.
            (on(WEB), [a_run(status="Failed")], [a_machine_run(WEB, status="InProgress")], "pass"),
            (registering(), [a_run(status="InProgress")], [a_machine_run(WEB, status="InProgress")], "pass"),
        ],
    )  # fmt: skip
    def test_nothing_is_changed_under_a_running_update(
        self, plan: Plan, runs: list[Any], parts: list[Any], expected: str
    ) -> None:
        facts_ = facts(machines=[WEB, SQL], bodies=[a_body(machines=[WEB])], runs=runs, machine_runs=parts)

        assert verdict(UpdateRun(), plan, facts_) == expected

    @pytest.mark.parametrize("reading", ["runs", "machine-runs"])
    def test_where_runs_could_not_be_read_it_holds(self, reading: str) -> None:
        """A plan that touches neither a machine nor a deployment is nobody's business."""
        facts_ = facts(machines=[WEB], bodies=[a_body(machines=[WEB])], unreadable={reading: "503"})

        assert verdict(UpdateRun(), widening(), facts_) == "hold"
        assert verdict(UpdateRun(), on(WEB), facts_) == "hold"
        assert verdict(UpdateRun(), registering(), facts_) == "pass"


class TestBlastRadius:
    FLEET = tuple(a_machine(f"m-{n:02}") for n in range(20))

    def many(self, count: int) -> dict[str, Any]:
        return {"machines": self.FLEET[:count]}

    @pytest.mark.parametrize(
        ("machines", "percent", "body", "expected"),
        [
            (5, 100, {"count": 5}, "pass"),
            (5, 100, {"count": 6}, "hold"),
            (0, 100, {"count": 1}, "hold"),
            # Ten percent of twenty are two.
            (5, 10, {"count": 2}, "pass"),
            (5, 10, {"count": 3}, "hold"),
            # Fourteen percent are two and a bit, and at most fourteen percent are two.
            (5, 14, {"count": 2}, "pass"),
            (5, 14, {"count": 3}, "hold"),
            (5, 15, {"count": 3}, "pass"),
            # One percent is a fifth of a machine, and one machine may always be treated.
            (5, 1, {"count": 1}, "pass"),
            (5, 1, {"count": 2}, "hold"),
            (5, 0, {"count": 1}, "hold"),
            # The smaller of the two.
            (1, 100, {"count": 2}, "hold"),
            # By name, and as many as a dynamic query may select.
            (5, 100, {"names": ["a", "b", "c", "d", "e"]}, "pass"),
            (5, 100, {"names": ["a", "b", "c", "d", "e"], "count": 1}, "hold"),
            (5, 100, {"scopes": [WHOLE]}, "hold"),
            (20, 100, {"scopes": [WHOLE]}, "pass"),
            (5, 100, {"scopes": [f"{WHOLE}/resourceGroups/rg-empty"]}, "pass"),
            (50, 100, {"scopes": [f"/subscriptions/{ELSEWHERE}"]}, "hold"),
        ],
    )
    def test_a_run_touches_a_handful_of_machines(
        self, machines: int, percent: int, body: dict[str, Any], expected: str
    ) -> None:
        fields = {**self.many(body.get("count", 0)), **{k: v for k, v in body.items() if k != "count"}}
        facts_ = facts(machines=self.FLEET, bodies=[a_body(**fields)])

        assert verdict(BlastRadius(machines=machines, percent=percent), widening(), facts_) == expected

    @pytest.mark.parametrize(
        ("touched", "expected"),
        [
            ({m.id for m in FLEET[1:5]}, "pass"),
            ({m.id for m in FLEET[1:6]}, "hold"),
            # It is one of those already.
            ({m.id for m in FLEET[:5]}, "pass"),
        ],
    )
    def test_what_the_run_s_earlier_plans_touch_counts(self, touched: set[str], expected: str) -> None:
        facts_ = facts(machines=self.FLEET)

        assert verdict(BlastRadius(machines=5), on(self.FLEET[0]), facts_, touched=frozenset(touched)) == expected

    @pytest.mark.parametrize(
        ("edit", "expected"),
        [
            ({"count": 19}, "pass"),
            ({"count": 20, "next_run": NOW + 10 * DAY}, "pass"),
            ({"count": 20, "excluded": ["kernel*"]}, "hold"),
            ({"count": 20, "duration": 3 * HOUR}, "hold"),
        ],
    )
    def test_an_edit_that_a_single_machine_calls_for_counts_for_all_whom_it_concerns(
        self, edit: dict[str, Any], expected: str
    ) -> None:
        """To leave an update out because it fails on one machine leaves it out on all that the deployment patches."""
        before = a_body(**self.many(20), classes="Critical")
        fields = {**self.many(edit["count"]), **{k: v for k, v in edit.items() if k != "count"}}
        step = PutDeployment(
            deployment=update_deployment("Weekly"),
            before=before,
            after=body_to_put(a_body(**fields, classes="Critical")),
        )
        facts_ = facts(machines=self.FLEET, bodies=[before])

        assert verdict(BlastRadius(machines=5), on(self.FLEET[0], step), facts_) == expected

    def test_a_plan_that_touches_no_machine_is_not_held_by_those_that_do(self) -> None:
        everything = frozenset(m.id for m in self.FLEET)

        assert verdict(BlastRadius(machines=5), registering(), facts(machines=self.FLEET), touched=everything) == "pass"

    def test_where_the_machines_could_not_be_read_it_holds(self) -> None:
        facts_ = facts(bodies=[a_body(machines=[WEB])], unreadable={"machines": "503"})

        assert verdict(BlastRadius(machines=5), widening(), facts_) == "hold"


def test_linux_machines_are_not_what_a_query_of_a_windows_deployment_selects() -> None:
    facts_ = facts(machines=[WEB, LINUX], bodies=[a_body(scopes=[WHOLE])])

    assert verdict(BlastRadius(machines=1), widening(), facts_) == "pass"
    assert verdict(BlastRadius(machines=0), widening(), facts_) == "hold"
