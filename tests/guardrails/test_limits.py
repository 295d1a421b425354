"""The belts that know of runs and of time: a table each, with the rows at the boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from guardrails import Attempt, Situation
from guardrails.attempts import Attempts
from guardrails.canary import Canary
from guardrails.change_window import InChangeWindow
from guardrails.cool_down import CoolDown
from guardrails.error_budget import ErrorBudget
from guardrails.freeze import NoFreeze
from guardrails.impact_ceiling import ImpactCeiling
from guardrails.log_lag import LogLag
from guardrails.one_of_a_set import OneOfASet
from guardrails.protocol import Guardrail
from guardrails.run_command import OtherRunCommand
from guardrails.stale_facts import StaleFacts
from guardrails.storm_gate import StormGate, unhealthy
from model.calendars import parse_freezes, parse_windows
from model.documents import Document
from model.facts import run_commands_of
from model.plans import Hold, Plan, Refuse, RunScript
from model.states import FailureState, Impact, Mode
from tests.builders import DAY, HOUR, MINUTE, NOW, WORKSPACE, a_finding, a_machine, a_plan, facts

WEB = a_machine("web-01")
FLEET = tuple(a_machine(f"m-{n:02}") for n in range(20))
PLAN = a_plan(
    RunScript(machine=WEB.arm_id, location="", script="x.ps1", parameters={}),
    finding=a_finding(FailureState.NO_HEARTBEAT, WEB.id, name="web-01"),
)
REGISTERING = a_plan()
NEVER = None


def judged(belt: Guardrail, plan: Plan = PLAN, **known: Any) -> Hold | Refuse | None:
    fields: dict[str, Any] = {"facts": facts(machines=[WEB]), "mode": Mode.ACT, "by_person": False, "now": NOW}
    return belt.judge(plan, Situation(**{**fields, **known}))


def until(belt: Guardrail, **known: Any) -> datetime | str | None:
    """When a plan is held until; `pass` where it is not held."""
    answer = judged(belt, **known)
    assert not isinstance(answer, Refuse)
    return "pass" if answer is None else answer.until


def tried(*ago: timedelta, run: str = "other") -> tuple[Attempt, ...]:
    return tuple(Attempt(run=run, at=NOW - each) for each in ago)


@pytest.mark.parametrize(
    ("most", "impact", "passes"),
    [
        (Impact.REVERSIBLE, Impact.READ_ONLY, True),
        (Impact.REVERSIBLE, Impact.ADDITIVE, True),
        (Impact.REVERSIBLE, Impact.REVERSIBLE, True),
        (Impact.REVERSIBLE, Impact.DISRUPTIVE, False),
        (Impact.DISRUPTIVE, Impact.DISRUPTIVE, True),
        (Impact.READ_ONLY, Impact.ADDITIVE, False),
    ],
)
def test_what_people_would_notice_is_not_done_without_one(most: Impact, impact: Impact, passes: bool) -> None:  # noqa: FBT001
    plan = replace(PLAN, impact=impact)

    assert (judged(ImpactCeiling(most=most), plan) is None) is passes
    # Who applies the plan has read what it does; who names the remediation knows.
    assert judged(ImpactCeiling(most=most), plan, by_person=True) is None
    assert judged(ImpactCeiling(most=most, chosen=frozenset({plan.remediation})), plan) is None


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((), "pass"),
        (tried(59 * MINUTE), NOW + MINUTE),
        (tried(HOUR), "pass"),
        (tried(23 * HOUR, 30 * MINUTE), NOW + 30 * MINUTE),
        # A run's own next try is a person's wish.
        (tried(MINUTE, run="mine"), "pass"),
    ],
)
def test_what_another_run_tried_a_short_while_ago_is_left_alone(attempts: Any, expected: Any) -> None:
    assert until(CoolDown(length=HOUR), attempts=attempts, run="mine") == expected


def test_what_another_run_has_in_treatment_is_left_to_it() -> None:
    known: dict[str, Any] = {"in_treatment_by": "other", "in_treatment_until": NOW + DAY}

    assert until(CoolDown(length=HOUR), **known) == NOW + DAY
    assert until(CoolDown(length=timedelta(0)), **{**known, "in_treatment_until": None}) is NEVER


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((), "pass"),
        (tried(HOUR), "pass"),
        (tried(HOUR, 2 * HOUR), NOW + 22 * HOUR),
        # In whatever order they are told, and whosever they are.
        (tried(2 * HOUR) + tried(HOUR, run="mine"), NOW + 22 * HOUR),
        (tried(DAY - MINUTE, HOUR), NOW + MINUTE),
        (tried(DAY, HOUR), "pass"),
        # The second newest of three is the one that has to be past.
        (tried(20 * HOUR, 10 * HOUR, HOUR), NOW + 14 * HOUR),
    ],
)
def test_what_did_not_help_twice_in_a_day_is_not_tried_a_third_time(attempts: Any, expected: Any) -> None:
    assert until(Attempts(most=2, within=DAY), attempts=attempts, run="mine") == expected


def in_vain(ago: timedelta, *, remembered: timedelta) -> tuple[Attempt, ...]:
    return (Attempt(run="theirs", at=NOW - ago, in_vain_until=NOW - ago + remembered),)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (in_vain(2 * DAY, remembered=7 * DAY), "pass"),
        (in_vain(2 * DAY, remembered=7 * DAY) + in_vain(3 * DAY, remembered=7 * DAY), NOW + 4 * DAY),
        (in_vain(2 * DAY, remembered=7 * DAY) + in_vain(7 * DAY - MINUTE, remembered=7 * DAY), NOW + MINUTE),
        (in_vain(2 * DAY, remembered=7 * DAY) + in_vain(7 * DAY, remembered=7 * DAY), "pass"),
        # One that is remembered and one of today are two.
        (in_vain(2 * DAY, remembered=7 * DAY) + tried(20 * HOUR), NOW + 4 * HOUR),
        # However short the memory, an attempt counts a day.
        (in_vain(2 * HOUR, remembered=HOUR) + tried(HOUR), NOW + 22 * HOUR),
    ],
)
def test_what_was_seen_not_to_help_counts_for_longer(attempts: Any, expected: Any) -> None:
    assert until(Attempts(most=2, within=DAY), attempts=attempts, run="mine") == expected


class TestWhatIsUnhealthy:
    MENDABLE = frozenset({FailureState.NO_HEARTBEAT, FailureState.CLONED_MACHINE, FailureState.KB2267602_MISSING})

    @pytest.mark.parametrize(
        ("state", "counts"),
        [
            (FailureState.NO_HEARTBEAT, True),
            (FailureState.CLONED_MACHINE, True),
            # Only a person mends it; an outage looks like that.
            (FailureState.WORKER_SIGNALR_TIMEOUT, True),
            (FailureState.WRONG_WORKSPACE, True),
            # Only a person mends it, and the machine is well.
            (FailureState.DUPLICATE_COMPUTER_NAME, False),
            (FailureState.SUPERSEDED_SHOWN_MISSING, False),
            # Mendable, and the machine is well.
            (FailureState.KB2267602_MISSING, False),
        ],
    )
    def test_is_a_machine_in_a_state_that_is_mended_or_looks_like_an_outage(
        self,
        state: FailureState,
        counts: bool,  # noqa: FBT001
    ) -> None:
        assert unhealthy([a_finding(state, WEB.id)], self.MENDABLE) == (frozenset({WEB.id}) if counts else frozenset())

    def test_one_finding_that_counts_is_enough(self) -> None:
        findings = [a_finding(state, WEB.id) for state in (FailureState.KB2267602_MISSING, FailureState.NO_HEARTBEAT)]

        assert unhealthy(findings, self.MENDABLE) == {WEB.id}


class TestStormGate:
    BELT = StormGate(percent=20, cool_down=4 * HOUR)

    @pytest.mark.parametrize(
        ("unhealthy", "machines", "expected"),
        [
            (0, 20, "pass"),
            (4, 20, "pass"),
            (5, 20, NOW + 4 * HOUR),
            (20, 20, NOW + 4 * HOUR),
            # One alone is no storm; two of four are.
            (1, 1, "pass"),
            (1, 4, "pass"),
            (2, 4, NOW + 4 * HOUR),
            (2, 10, "pass"),
            (0, 0, "pass"),
        ],
    )
    def test_more_than_a_fifth_unhealthy_means_look_and_do_not_touch(
        self, unhealthy: int, machines: int, expected: Any
    ) -> None:
        ids = frozenset(machine.id for machine in FLEET[:unhealthy])

        assert until(self.BELT, facts=facts(machines=FLEET[:machines]), unhealthy=ids) == expected

    @pytest.mark.parametrize(("ends", "expected"), [(NOW + MINUTE, NOW + MINUTE), (NOW, "pass"), (None, "pass")])
    def test_and_for_a_while_after_it(self, ends: datetime | None, expected: Any) -> None:
        assert until(self.BELT, storm_ends=ends) == expected

    def test_a_person_waits_as_well(self) -> None:
        assert until(self.BELT, storm_ends=NOW + HOUR, by_person=True) == NOW + HOUR

    @pytest.mark.parametrize(
        ("dead", "expected"), [(4, "pass"), (5, NOW + 4 * HOUR), (20, NOW + 4 * HOUR), (0, "pass"), (None, NEVER)]
    )
    def test_a_workspace_counts_as_the_machines_that_are_silent_for_it(self, dead: int | None, expected: Any) -> None:
        assert until(self.BELT, facts=facts(machines=FLEET), behind={"workspace-over-quota:law": dead}) == expected

    def test_whose_repair_is_not_held_for_them(self) -> None:
        """Else nothing would ever mend it: neither now, nor in the cool-down of the storm that it made."""
        finding = a_finding(FailureState.WORKSPACE_OVER_QUOTA, WORKSPACE.lower())
        plan = a_plan(finding=finding)
        known: dict[str, Any] = {"facts": facts(machines=FLEET), "behind": {finding.key: 20}}

        assert judged(self.BELT, plan, **known, storm_ends=NOW + HOUR) is None

        others = frozenset(machine.id for machine in FLEET[:5])
        held = judged(self.BELT, plan, **known, unhealthy=others)
        assert held is not None
        assert held.reason.startswith("5 of 20 machines are unhealthy")

    def test_where_the_machines_could_not_be_read_it_holds(self) -> None:
        assert until(self.BELT, facts=facts(unreadable={"machines": "429"})) is NEVER


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        # NOW is Tuesday, six o'clock UTC: seven in Amsterdam.
        ("", "pass"),
        ("tue 07:00-08:00 Europe/Amsterdam", "pass"),
        ("tue 06:00-07:00 Europe/Amsterdam", NOW + 7 * DAY - HOUR),
        ("tue 07:01-08:00 Europe/Amsterdam", NOW + MINUTE),
        ("mon 22:00-08:00 UTC", "pass"),
        ("sat,sun 00:00-24:00 UTC; daily 09:00-10:00 UTC", NOW + 3 * HOUR),
    ],
)
def test_changes_are_made_in_the_windows_for_changes(windows: str, expected: Any) -> None:
    assert until(InChangeWindow(windows=parse_windows(windows))) == expected


@pytest.mark.parametrize(
    ("freezes", "expected"),
    [
        ("", "pass"),
        ("2026-03-09/2026-03-10 UTC", NOW + 18 * HOUR),
        ("2026-03-09/2026-03-09 UTC", "pass"),
        ("2026-03-10T06:00/2026-03-10T07:00 UTC", NOW + HOUR),
        ("2026-03-10T05:00/2026-03-10T06:00 UTC", "pass"),
        # Of two that overlap, the one that ends last.
        ("2026-03-01/2026-03-10 UTC; 2026-03-10/2026-03-11 UTC", NOW + 42 * HOUR),
    ],
)
def test_nothing_is_changed_in_a_freeze(freezes: str, expected: Any) -> None:
    assert until(NoFreeze(freezes=parse_freezes(freezes))) == expected


@pytest.mark.parametrize(
    ("read", "passes"),
    [(NOW, True), (NOW - HOUR, True), (NOW - HOUR - MINUTE, False), (NOW + HOUR, True), (NOW + 2 * HOUR, False)],
)
def test_what_was_read_too_long_ago_is_not_acted_on(read: datetime, passes: bool) -> None:  # noqa: FBT001
    assert (judged(StaleFacts(most=HOUR), facts=facts(now=read)) is None) is passes


class TestLogLag:
    BELT = LogLag(most=HOUR)

    def lag(self, plan: Plan = PLAN, *, from_logs: bool = True, **known: Any) -> str:
        answer = judged(self.BELT, plan, facts=facts(machines=[WEB], **known), from_logs=from_logs)
        return "pass" if answer is None else answer.reason

    @pytest.mark.parametrize(("newest", "passes"), [("05:00", True), ("04:59", False), ("06:00", True)])
    def test_logs_that_arrive_late_say_nothing_of_now(self, newest: str, passes: bool) -> None:  # noqa: FBT001
        rows = {"newest-beat": ({"Newest": f"2026-03-10T{newest}:00Z"},)}

        assert (self.lag(rows=rows) == "pass") is passes

    def test_where_it_cannot_be_told_it_holds(self) -> None:
        assert "503" in self.lag(unreadable={"newest-beat": "503"})
        assert "no agent has written" in self.lag(rows={"newest-beat": ()})
        assert "no agent has written" in self.lag(rows={"newest-beat": ({"Newest": None},)})

    def test_what_stands_on_no_logs_or_touches_no_machine_is_let_through(self) -> None:
        """It may be what brings the logs back."""
        assert self.lag(from_logs=False, rows={"newest-beat": ()}) == "pass"
        assert self.lag(REGISTERING, rows={"newest-beat": ()}) == "pass"


class TestOtherRunCommand:
    def answer(self, *commands: Document, plan: Plan = PLAN, **known: Any) -> Hold | Refuse | None:
        listed: Document = {"id": run_commands_of(WEB.id), "value": [*commands]}
        return judged(OtherRunCommand(), plan, facts=facts(machines=[WEB], views=[listed], **known))

    @pytest.mark.parametrize(
        ("state", "provisioning", "passes"),
        [
            ("Succeeded", "Succeeded", True),
            ("Failed", "Succeeded", True),
            ("TimedOut", "Succeeded", True),
            ("Running", "Succeeded", False),
            ("running", "Updating", False),
            ("Pending", "Creating", False),
            # On its way to the machine.
            ("", "Creating", False),
            ("", "Succeeded", True),
        ],
    )
    def test_one_script_at_a_time_whoever_sent_it(self, state: str, provisioning: str, passes: bool) -> None:  # noqa: FBT001
        view: Document = {"executionState": state} if state else {}
        command: Document = {
            "name": "somebodys",
            "properties": {"provisioningState": provisioning, "instanceView": view},
        }

        assert (self.answer(command) is None) is passes

    def test_a_machine_without_run_commands_is_free(self) -> None:
        assert self.answer() is None

    def test_where_it_cannot_be_told_it_holds(self) -> None:
        listed = run_commands_of(WEB.id)

        assert isinstance(judged(OtherRunCommand(), facts=facts(machines=[WEB])), Hold)
        assert isinstance(judged(OtherRunCommand(), facts=facts(unreadable={listed: "503"})), Hold)
        assert judged(OtherRunCommand(), REGISTERING, facts=facts(unreadable={listed: "503"})) is None


@pytest.mark.parametrize(
    ("group", "holder", "passes"),
    [("clones-of:x", "", True), ("clones-of:x", "other", False), ("", "", True)],
)
def test_of_a_set_one_is_treated_at_a_time(group: str, holder: str, passes: bool) -> None:  # noqa: FBT001
    plan = replace(PLAN, group=group)

    assert (judged(OneOfASet(), plan, group_in_treatment_by=holder) is None) is passes


@pytest.mark.parametrize(
    ("failures", "in_flight", "passes"),
    [
        (0, 0, True),
        (2, 0, True),
        (3, 0, False),
        (0, 2, True),
        (0, 3, False),
        (1, 1, True),
        (2, 1, False),
        (1, 2, False),
    ],
)
def test_what_is_in_flight_counts_as_a_possible_failure(failures: int, in_flight: int, passes: bool) -> None:  # noqa: FBT001
    assert (judged(ErrorBudget(most=3), failures=failures, in_flight=in_flight) is None) is passes


def test_a_budget_of_none_begins_nothing() -> None:
    assert judged(ErrorBudget(most=0)) is not None


@pytest.mark.parametrize(("failed", "passes"), [((), True), (("a-remediation",), False), (("another",), True)])
def test_a_repair_that_failed_on_the_first_is_not_tried_on_the_next(failed: tuple[str, ...], passes: bool) -> None:  # noqa: FBT001
    assert (judged(Canary(), failed_first=frozenset(failed)) is None) is passes
