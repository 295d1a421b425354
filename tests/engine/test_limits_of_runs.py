"""The guardrails in runs: what a run may begin, what is remembered from one run to the next, and who is told."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.catalogue import Catalogue
from engine.inline import TooLongToWait, drive
from engine.ports import StepFailed
from engine.process import apply
from engine.surveyor import CAUSES
from guardrails.storm_gate import unhealthy
from model.calendars import parse_freezes, parse_windows
from model.documents import Document
from model.states import ActionClass, FailureState, Impact
from tests.builders import DAY, HOUR, MINUTE, NOW, a_finding, a_machine, a_workspace, facts
from tests.engine.conftest import App

BROKEN = StepFailed(reason="BadRequest")
WORKSPACE_AND_PROVIDER = [FailureState.WORKSPACE_OVER_QUOTA, FailureState.AUTOMATION_RP_NOT_REGISTERED]


def reasons(app: App, run: str) -> dict[str, str]:
    return {str(o["finding"]): str(o["reason"]) for o in app.document(run)["outcomes"]}


def broken(app: App, *deployments: str) -> list[str]:
    """A machine in each of these deployments took a new identity."""
    return [app.renamed(f"{name.lower()}-01", deployment=name, others=(f"{name.lower()}-02",)) for name in deployments]


class TestTheErrorBudget:
    def test_ends_a_run_that_goes_wrong(self, app: App) -> None:
        """Once it went right, so that it is no canary's case; then it fails as often as it may, and no more."""
        keys = broken(app, "A", "B", "C", "D", "E")
        app.set(error_budget=2)
        app.hand.trouble = {2: [BROKEN, BROKEN, BROKEN]}

        run = app.sweep()

        assert [app.outcomes(run)[key] for key in keys] == ["remediated", "failed", "failed", "held", "held"]
        assert reasons(app, run)[keys[3]].startswith(
            "error-budget: 2 treatments of this run failed and 0 may still fail; it stops at 2"
        )

    def test_is_not_used_up_by_what_goes_right(self, app: App) -> None:
        keys = broken(app, "A", "B", "C")
        app.set(error_budget=1)

        assert app.outcomes(app.sweep()) == dict.fromkeys(keys, "remediated")

    def test_of_none_begins_nothing(self, app: App) -> None:
        key = app.unregistered()
        app.set(error_budget=0)

        run = app.sweep()

        assert app.outcomes(run) == {key: "held"}
        assert app.hand.asked == []

    def test_counts_what_vanished(self, app: App) -> None:
        """Nobody knows how it ended: its place stays taken, by itself."""
        one, two = broken(app, "A", "B")
        app.set(error_budget=1)
        run = app.plan()
        app.ledger.claim("budget:" + run + ":0", f"{one}#0", NOW, NOW + DAY)

        app.apply(run, findings=[two])
        assert reasons(app, run)[two].startswith("error-budget: 0 treatments of this run failed and 1 may still fail")

        app.apply(run, findings=[one])
        assert app.outcomes(run)[one] == "remediated"


class TestTheCanary:
    def test_that_fails_keeps_the_others_from_the_same(self, app: App) -> None:
        keys = broken(app, "A", "B", "C")
        app.hand.trouble = {0: [BROKEN] * 3}

        run = app.sweep()

        assert [app.outcomes(run)[key] for key in keys] == ["failed", "held", "held"]
        assert reasons(app, run)[keys[1]].startswith("canary: readd-machine failed on the first target of this run")

    def test_says_nothing_of_another_repair(self, app: App) -> None:
        provider, window = app.unregistered(), app.late()
        app.hand.trouble = {0: [BROKEN]}

        assert app.outcomes(app.sweep()) == {provider: "failed", window: "remediated"}


class TestTheCap:
    @pytest.mark.parametrize(("most", "acted"), [(2, 1), (4, 2), (5, 2), (6, 3)])
    def test_is_checked_before_the_first_action(self, app: App, most: int, acted: int) -> None:
        """Each of these repairs saves a deployment of two machines, and counts as both."""
        keys = [app.late(name) for name in ("A", "B", "C")]
        for name in ("A", "B", "C"):
            id_ = next(id_ for id_ in app.world.bodies if id_.endswith(f"/{name.lower()}"))
            machines = app.world.bodies[id_]["properties"]["updateConfiguration"]["azureVirtualMachines"]  # type: ignore[index,call-overload]
            other = a_machine(f"other-{name.lower()}")
            app.world.machines[other.id] = other
            machines.append(other.arm_id)  # type: ignore[union-attr]
        app.set(max_machines=most)

        run = app.sweep(states=[FailureState.MAINTENANCE_WINDOW_EXCEEDED])

        assert [app.outcomes(run)[key] for key in keys].count("remediated") == acted
        held = [plan for plan in app.document(run)["plans"] if plan["verdict"]["kind"] == "hold"]
        assert {plan["verdict"]["guardrail"] for plan in held} == ({"blast-radius"} if acted < 3 else set())

    def test_is_one_for_all_attempts_at_a_run(self, app: App) -> None:
        keys = broken(app, "A", "B", "C")
        run = app.plan()
        app.set(max_machines=2)

        for number, key in enumerate(keys):
            request: Document = {"run": run, "attempt": f"attempt-{number}", "findings": [key], "by": "somebody"}
            with contextlib.suppress(TooLongToWait):
                drive(apply(request), app.activities, app.clock, patience=HOUR)

        assert len(app.hand.writes) == 4
        assert app.outcomes(run)[keys[2]] == "held"


class TestTheLadder:
    def tries(self, app: App, count: int) -> list[str]:
        """So many runs an hour apart, each of which fails."""
        runs = []
        for _ in range(count):
            app.hand.trouble = {0: [BROKEN]}
            runs.append(app.sweep())
            app.clock.sleep_until(app.clock.now() + HOUR)
        return runs

    def test_ends_with_an_exception_that_has_an_owner(self, app: App) -> None:
        key = app.unregistered()
        app.set(owner="patching@contoso.com")
        self.tries(app, 2)

        run = app.sweep()

        assert app.outcomes(run) == {key: "declined"}
        tried = "register-automation-provider (tried 2 times within 1 d) did not help"
        assert app.reason(run) == f"{tried}; patching@contoso.com has to look at it"
        (advice,) = app.document(run)["advice"]
        assert "needs patching@contoso.com" in advice["summary"]
        assert advice["steps"]

    def test_names_the_owner_that_the_nearest_tag_names(self, app: App) -> None:
        key = app.renamed()
        machine = a_machine("sql-01")
        app.world.machines[machine.id] = replace(machine, tags={"Owner": "dba@contoso.com"})
        app.set(owner="patching@contoso.com")
        self.tries(app, 2)

        run = app.sweep()

        assert app.outcomes(run) == {key: "declined"}
        assert "dba@contoso.com has to look at it" in app.reason(run)

    def test_begins_anew_when_the_attempts_are_a_day_old(self, app: App) -> None:
        key = app.unregistered()
        self.tries(app, 2)
        app.clock.sleep_until(NOW + DAY)

        assert app.outcomes(app.sweep()) == {key: "remediated"}

    def test_counts_the_attempts_at_one_run_as_well(self, app: App) -> None:
        """A person may try a second time at once, and not a third."""
        key = app.unregistered()
        run = app.plan()
        app.hand.trouble = {0: [BROKEN] * 3}

        for _ in range(3):
            app.apply(run)

        assert app.outcomes(run) == {key: "held"}
        assert app.reason(run).startswith("attempts: register-automation-provider was tried 2 times")
        assert len(app.hand.trouble[0]) == 1

    def test_does_not_count_what_a_belt_held(self, app: App) -> None:
        key = app.unregistered()
        app.set(freezes=parse_freezes("2026-03-10/2026-03-10 UTC"))
        run = app.plan()
        for _ in range(3):
            app.apply(run)
        app.set()

        assert app.outcomes(app.sweep()) == {key: "remediated"}


class TestWhatAnotherRunTreats:
    def test_is_left_to_it_until_it_is_verified(self, app: App) -> None:
        """The machine's next run shows whether it helped, three days from now."""
        key = app.renamed()
        seen: list[dict[str, str]] = []
        until: list[Any] = []

        def meanwhile(name: str, _: object) -> None:
            if name == "settle":
                app.after = lambda _name, _given: None
                # Somebody breaks it again, so that there is something to find.
                app.clock.moment = NOW + 2 * DAY
                app.world.machine_runs = [replace(p, start=NOW + DAY) for p in app.world.machine_runs]
                app.world.runs = [replace(r, start=NOW + DAY, end=NOW + DAY + HOUR) for r in app.world.runs]
                run = app.sweep(states=[FailureState.SOURCE_ID_CHANGED])
                seen.append(app.outcomes(run))
                until.extend(plan["verdict"]["until"] for plan in app.document(run)["plans"])

        app.after = meanwhile

        app.sweep()

        assert seen == [{key: "held"}]
        assert until == ["2026-03-13T06:30:00Z"]


class TestAStorm:
    def unhealthy(self, app: App, *, of: int) -> list[str]:
        for number in range(of - 5):
            machine = a_machine(f"healthy-{number}")
            app.world.machines[machine.id] = machine
        return app.all_renamed(["a-01", "a-02", "a-03", "a-04"], others=("a-05",))

    def test_is_looked_at_and_not_touched(self, app: App) -> None:
        keys = self.unhealthy(app, of=19)
        app.set(storm_percent=20)

        run = app.sweep()

        assert app.outcomes(run) == dict.fromkeys(keys, "held")
        assert reasons(app, run)[keys[0]].startswith("storm-gate: 4 of 19 machines are unhealthy")
        assert app.hand.asked == []

    def test_is_more_than_a_fifth(self, app: App) -> None:
        keys = self.unhealthy(app, of=20)
        app.set(storm_percent=20)

        assert app.outcomes(app.sweep()) == dict.fromkeys(keys, "remediated")

    def test_is_remembered_by_later_runs_for_its_cool_down(self, app: App) -> None:
        """Also by those that look at something else."""
        self.unhealthy(app, of=19)
        app.set(storm_percent=20)
        app.plan()
        key = app.unregistered()
        app.clock.sleep_until(NOW + 4 * HOUR - MINUTE)

        run = app.sweep(states=[FailureState.AUTOMATION_RP_NOT_REGISTERED])
        assert app.outcomes(run) == {key: "held"}
        assert app.document(run)["plans"][0]["verdict"]["until"] == "2026-03-10T10:00:00Z"

        app.clock.sleep_until(NOW + 4 * HOUR)
        assert app.outcomes(app.sweep(states=[FailureState.AUTOMATION_RP_NOT_REGISTERED])) == {key: "remediated"}

    def silent(self, app: App, count: int, *, of: int) -> None:
        """So many machines of an estate are silent."""
        for number in range(of):
            machine = a_machine(f"app-{number:02}")
            app.world.machines[machine.id] = machine
            if number < count:
                app.world.silent[machine.id] = NOW - 5 * HOUR

    @pytest.mark.parametrize(("count", "outcome"), [(4, "remediated"), (5, "held")])
    def test_is_a_dead_workspace_as_large_as_what_is_silent_for_it(self, app: App, count: int, outcome: str) -> None:
        """Its machines have no findings of their own; its own repair is not held for them."""
        self.silent(app, count, of=20)
        app.world.workspace = a_workspace(ingestion="overquota", quota=1.0)
        app.set(storm_percent=20)
        provider = app.unregistered()

        ended = app.outcomes(app.sweep(states=WORKSPACE_AND_PROVIDER))

        (cap,) = (found for key, found in ended.items() if key.startswith("workspace-over-quota:"))
        assert cap != "held"
        assert "daily cap 2 GB" in app.hand.writes
        assert ended[provider] == outcome
        # It is remembered like any other.
        if outcome == "held":
            assert app.outcomes(app.sweep(states=WORKSPACE_AND_PROVIDER[1:])) == {provider: "held"}

    def test_is_none_where_the_machines_are_well_but_for_a_state_that_lasts(self, app: App) -> None:
        """Names that several machines bear are found until a person renames them."""
        self.silent(app, 0, of=20)
        key = app.unregistered()
        app.set(storm_percent=20)
        found = [a_finding(FailureState.DUPLICATE_COMPUTER_NAME, id_) for id_ in app.world.machines]
        app.engine.sweeping.admission.saw(found, facts(machines=app.world.machines.values()))

        assert app.outcomes(app.sweep(states=[FailureState.AUTOMATION_RP_NOT_REGISTERED])) == {key: "remediated"}

    def test_counts_what_explains_a_state_that_counts(self) -> None:
        """A finding that its cause stands for is not shown; the machine is no healthier for that."""
        remediations = Catalogue.of(App().engine.settings).remediations
        mendable = {one.fixes for one in remediations if one.action_class is not ActionClass.ADVISE}

        def counts(state: FailureState) -> bool:
            return unhealthy([a_finding(state)], mendable) != frozenset()

        assert counts(FailureState.WORKER_UNREACHABLE)
        assert [
            (state, cause)
            for state, causes in CAUSES.items()
            for cause in causes
            if counts(state) and not counts(cause)
        ] == []


class TestTheMoment:
    """What an hour can change is asked once more when a treatment's turn has come."""

    def later(self, app: App, after: timedelta) -> None:
        """So much time passes between the second look and the first step."""

        def passes(name: str, _: object) -> None:
            if name == "second_look":
                app.clock.moment += after

        app.after = passes

    @pytest.mark.parametrize(("after", "outcome"), [(29 * MINUTE, "remediated"), (30 * MINUTE, "held")])
    def test_a_window_that_has_closed_meanwhile_holds(self, app: App, after: timedelta, outcome: str) -> None:
        key = app.unregistered()
        app.set(change_windows=parse_windows("tue 05:00-06:30 UTC"))
        self.later(app, after)

        assert app.outcomes(app.sweep()) == {key: outcome}

    @pytest.mark.parametrize(("after", "outcome"), [(HOUR, "remediated"), (HOUR + MINUTE, "held")])
    def test_facts_that_have_grown_old_meanwhile_hold(self, app: App, after: timedelta, outcome: str) -> None:
        key = app.unregistered()
        self.later(app, after)

        run = app.sweep()

        assert app.outcomes(run) == {key: outcome}
        assert outcome == "remediated" or app.reason(run).startswith("stale-facts: ")
        assert len(app.hand.writes) == (outcome == "remediated")

    def test_what_was_begun_inside_a_window_is_finished_after_it(self, app: App) -> None:
        key = app.renamed()
        app.set(change_windows=parse_windows("tue 05:00-06:30 UTC"))

        def passes(name: str, given: Any) -> None:
            if name == "step" and given["index"] == 0:
                app.clock.moment += HOUR

        app.after = passes

        assert app.outcomes(app.sweep()) == {key: "remediated"}


def test_a_machine_on_which_somebody_s_script_runs_is_left_alone(app: App) -> None:
    keys = app.clones("clone-01", "clone-02")
    busy = {"name": "somebodys", "properties": {"instanceView": {"executionState": "Running"}}}
    app.world.commands[a_machine("clone-01").id] = [busy]  # type: ignore[list-item]

    run = app.sweep()

    assert app.outcomes(run)[keys[0]] == "held"
    assert reasons(app, run)[keys[0]] == "run-command: the run command somebodys is under way on it"


def test_sweeps_of_their_own_accord_do_what_nobody_notices(app: App) -> None:
    """A clone loses its identity for a while: that needs a person, or his word beforehand."""
    keys = app.clones("clone-01", "clone-02")
    app.set(max_impact=Impact.REVERSIBLE, opt_in=frozenset())

    assert set(app.outcomes(app.sweep()).values()) == {"held"}

    run = app.plan()
    app.apply(run, findings=keys[:1])
    assert app.outcomes(run)[keys[0]] == "remediated"


def test_the_verdict_lists_every_belt_that_objects(app: App) -> None:
    app.unregistered()
    app.set(modes={}, freezes=parse_freezes("2026-03-10/2026-03-10 UTC"))

    (plan,) = app.document(app.plan())["plans"]

    assert plan["verdict"]["guardrail"] == "mode"
    assert plan["verdict"]["also"] == ["freeze: PATCHWRIGHT_FREEZES: 2026-03-10/2026-03-10 UTC"]
