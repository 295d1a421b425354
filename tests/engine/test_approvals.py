"""A state in mode `ask`: its treatment waits for one person's one answer about one plan, and no longer than it may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.approvals import Approval, Decision, NotAnswerable, UnknownApproval
from engine.inline import drive
from engine.ports import Entry
from engine.process import Listen, Process, apply, sweep
from engine.wire import document_hash
from model.documents import Document
from model.states import FailureState, Mode
from tests.builders import HOUR, MINUTE, update_deployment
from tests.engine.conftest import App

WEEKLY = update_deployment("Weekly").lower()
ASK = dict.fromkeys(FailureState, Mode.ASK)


@pytest.fixture
def app() -> App:
    """Every state asks."""
    return App(modes=ASK)


def approve(app: App, approval: Approval, **rest: Any) -> Approval:
    return app.engine.approvals.answer(approval.id, Decision.APPROVE, by="anna", reason="looks right", **rest)


def reject(app: App, approval: Approval, reason: str = "month's end") -> Approval:
    return app.engine.approvals.answer(approval.id, Decision.REJECT, by="bert", reason=reason)


def go_on(app: App, run: str) -> None:
    """The sweep's process from where it waits, as a driver carries it on that can be woken: it is, at once."""

    def woken() -> Process:
        process = sweep({"run": run, "trigger": "timer", "dryRun": False})
        command = next(process)
        while True:
            heard: Document = {}
            if isinstance(command, Listen):
                app.clock.sleep_until(app.clock.now() + MINUTE)
            else:
                heard = yield command
            try:
                command = process.send(heard)
            except StopIteration as end:
                result: Document = end.value
                return result

    surveyed: Document = {"waves": [], "attempt": run, "byPerson": False}
    drive(woken(), {**app.activities, "survey": lambda _: surveyed}, app.clock)


def waiting(app: App) -> Approval:
    (one,) = app.engine.approvals.waiting()
    return one


class TestWaiting:
    def test_the_sweep_asks_and_changes_nothing(self, app: App) -> None:
        key = app.unregistered()

        run = app.sweep()

        document = app.document(run)
        (approval,) = document["approvals"]
        assert (approval["finding"], approval["status"]) == (key, "waiting")
        assert approval["planHash"] == document["plans"][0]["hash"]
        assert (document["status"], document["waitingFor"], document["finished"]) == ("waiting", "approval", None)
        assert document["outcomes"] == []
        assert (app.hand.asked, app.hand.writes) == ([], [])

    def test_the_plan_says_that_it_waits_and_until_when(self, app: App) -> None:
        app.unregistered()

        verdict = app.document(app.sweep())["plans"][0]["verdict"]

        assert (verdict["kind"], verdict["guardrail"]) == ("hold", "approval")
        assert verdict["until"] == "2026-03-11T06:00:00Z"

    def test_what_may_act_does_not_wait_for_what_asks(self, app: App) -> None:
        window, machine = app.late(), app.renamed()
        app.set(modes={**ASK, FailureState.SOURCE_ID_CHANGED: Mode.ACT})

        run = app.sweep()

        assert [step["finding"] for step in app.document(run)["steps"] if step["event"] == "done"] == [machine] * 2
        assert [one["finding"] for one in app.document(run)["approvals"]] == [window]

    def test_nobody_is_asked_about_what_another_guardrail_holds(self, app: App) -> None:
        """A yes would change nothing."""
        key = app.unregistered()
        app.set(max_machines=0)
        app.renamed()

        run = app.sweep()

        assert [one["finding"] for one in app.document(run)["approvals"]] == [key]
        assert set(app.outcomes(run).values()) == {"held"}

    def test_a_dry_run_asks_nobody(self, app: App) -> None:
        app.unregistered()

        assert app.document(app.sweep(dry_run=True))["approvals"] == []


class TestAnYes:
    def test_goes_on_with_the_treatment_and_verifies_it(self, app: App) -> None:
        key = app.unregistered()
        run = app.sweep()

        approve(app, waiting(app))
        go_on(app, run)

        assert app.outcomes(run) == {key: "remediated"}
        assert app.hand.writes == ["register Microsoft.Automation"]
        assert app.document(run)["status"] == "completed"

    def test_is_recorded_with_who_when_and_why(self, app: App) -> None:
        app.unregistered()
        run = app.sweep()
        app.clock.moment += HOUR

        approve(app, waiting(app))

        (approval,) = app.document(run)["approvals"]
        assert approval["status"] == "approved"
        assert (approval["by"], approval["reason"]) == ("anna", "looks right")
        assert approval["answered"] == "2026-03-10T07:00:00Z"

    def test_runs_nothing_again_that_was_done(self, app: App) -> None:
        """The survey stands, and what acted before the question is left alone."""
        window, machine = app.late(), app.renamed()
        app.set(modes={**ASK, FailureState.SOURCE_ID_CHANGED: Mode.ACT})
        run = app.sweep()
        before = list(app.hand.writes)

        approve(app, waiting(app))
        go_on(app, run)

        assert app.hand.writes == [*before, "Monthly: late-monthly, PT3H"]
        assert app.outcomes(run) == {machine: "remediated", window: "remediated"}

    def test_is_for_the_world_that_was_shown(self, app: App) -> None:
        """The second look stays: what somebody changed while the question stood is not overwritten."""
        key = app.renamed()
        run = app.sweep()
        approve(app, waiting(app))
        app.world.edit(WEEKLY, "duration", "PT5H")

        go_on(app, run)

        assert app.outcomes(run) == {key: "stale"}
        assert "duration" in app.reason(run)
        assert app.hand.writes == []

    def test_is_for_one_plan(self, app: App) -> None:
        app.unregistered()
        run = app.sweep()
        approval = waiting(app)

        with pytest.raises(NotAnswerable, match="another plan"):
            approve(app, approval, plan_hash="0" * 64)

        assert waiting(app) == approval
        approve(app, approval, plan_hash=approval.plan_hash)
        assert app.document(run)["approvals"][0]["status"] == "approved"

    def test_does_not_apply_a_plan_that_was_edited_by_hand(self, app: App) -> None:
        """Before the answer it is refused, after it the plan is not applied."""
        key = app.unregistered()
        run = app.sweep()
        line = next(entry for entry in app.ledger.entries(run, kinds=frozenset({"plan"})))
        plan: Any = line.body["plan"]

        def edit(to: str) -> None:
            plan["risk"] = to
            # Whoever can edit a line can make it agree with itself.
            line.body["planHash"] = document_hash(plan)
            app.ledger.lines[run, line.id] = Entry(
                run=run, id=line.id, kind="plan", at=line.at, body=line.body, about=key
            )

        as_it_was = plan["risk"]
        edit("none at all")
        with pytest.raises(NotAnswerable, match="not the one that was asked about"):
            approve(app, waiting(app))
        edit(as_it_was)
        approve(app, waiting(app))
        edit("none at all")

        go_on(app, run)

        assert app.outcomes(run) == {key: "refused"}
        assert "not the one that was approved" in app.reason(run)
        assert app.hand.writes == []

    def test_is_taken_up_by_one_even_where_two_go_on_with_it(self, app: App) -> None:
        app.unregistered()
        run = app.sweep()
        approve(app, waiting(app))

        assert app.engine.activities["take_up"]({"run": run, "by": "one"})["waves"] != []
        assert app.engine.activities["take_up"]({"run": run, "by": "two"})["waves"] == []
        assert app.engine.activities["take_up"]({"run": run, "by": "one"})["waves"] != [], "delivered twice"

    def test_to_all_of_a_set_is_treated_in_waves(self, app: App) -> None:
        keys = app.all_renamed(["sql-01", "sql-02", "sql-03"])
        run = app.sweep()

        for approval in app.engine.approvals.waiting():
            approve(app, approval)
        go_on(app, run)

        assert app.outcomes(run) == dict.fromkeys(keys, "remediated")


class TestANo:
    def test_ends_it_with_the_person_s_reason(self, app: App) -> None:
        key = app.unregistered()
        run = app.sweep()

        reject(app, waiting(app), "not before the audit")
        go_on(app, run)

        assert app.outcomes(run) == {key: "refused"}
        assert app.reason(run) == "approval: rejected by bert: not before the audit"
        assert app.hand.writes == []
        assert app.document(run)["status"] == "completed"

    def test_is_not_overruled_by_applying_the_run(self, app: App) -> None:
        key = app.unregistered()
        run = app.sweep()
        reject(app, waiting(app))

        app.apply(run, [key])

        assert app.hand.writes == []
        assert app.outcomes(run) == {key: "refused"}

    def test_of_the_last_who_was_asked_leaves_a_verification_due(self, app: App) -> None:
        """The run is not over before what was applied is verified."""
        window, machine = app.late(), app.renamed()
        run = app.sweep()
        said = {approval.finding: approval for approval in app.engine.approvals.waiting()}
        app.apply(run, [window])

        app.engine.answer(said[machine].id, Decision.REJECT, by="bert", reason="no")

        document = app.document(run)
        assert (document["status"], document["waitingFor"], document["finished"]) == ("waiting", None, None)
        assert app.outcomes(run) == {machine: "refused"}


class TestASecondAnswer:
    @pytest.mark.parametrize("first", [approve, reject])
    @pytest.mark.parametrize("second", [approve, reject])
    def test_is_refused_and_told_who_answered(self, app: App, first: Any, second: Any) -> None:
        app.unregistered()
        app.sweep()
        approval = waiting(app)
        said = first(app, approval)

        with pytest.raises(NotAnswerable, match=f"answered already: .* by {said.answer.by}"):
            second(app, approval)

        assert app.engine.approvals.find(approval.id) == said

    def test_of_two_at_once_one_is_taken(self, app: App) -> None:
        """The other's line is written after ours was read: the ledger keeps the first."""
        app.unregistered()
        app.sweep()
        approval = waiting(app)
        append, quicker = app.ledger.append, list[bool]()

        def overtaken(entries: Any) -> tuple[bool, ...]:
            if not quicker and entries[0].kind == "answer":
                quicker.append(True)
                reject(app, approval, "I was first")
            return append(entries)

        app.ledger.append = overtaken  # type: ignore[method-assign]
        with pytest.raises(NotAnswerable, match="rejected by bert: I was first"):
            approve(app, approval)


class TestNoAnswer:
    def test_is_held_when_the_time_is_over(self, app: App) -> None:
        key = app.unregistered()
        app.set(approval_expiry=2 * HOUR)
        run = app.sweep()
        approval = waiting(app)
        app.clock.moment += 2 * HOUR

        with pytest.raises(NotAnswerable, match="expired"):
            approve(app, approval)

        assert app.outcomes(run) == {key: "held"}
        assert app.reason(run) == "approval: nobody answered until 10 Mar 08:00 UTC"
        assert app.engine.approvals.waiting() == ()

    def test_counts_until_the_last_minute(self, app: App) -> None:
        app.unregistered()
        app.set(approval_expiry=2 * HOUR)
        app.sweep()
        approval = waiting(app)
        app.clock.moment += 2 * HOUR - MINUTE

        assert approve(app, approval).answer is not None

    def test_leaves_the_finding_to_the_next_sweep(self, app: App) -> None:
        app.unregistered()
        first = app.sweep()
        app.clock.moment += 25 * HOUR

        second = app.sweep()

        assert waiting(app).run == second != first


@pytest.mark.parametrize(
    "id_", ["", ".", "run-1.000000000000", "run-9.3f9a2c1d0000", "~control.x", "x" * 3000, "é\ud800.\x00"]
)
def test_an_approval_that_nobody_asks_for_is_unknown(app: App, id_: str) -> None:
    app.unregistered()
    app.sweep()

    with pytest.raises(UnknownApproval):
        app.engine.approvals.answer(id_, Decision.APPROVE, by="anna", reason="why not")


class TestApplyingByHand:
    """`apply RUN` goes on with what is under way; only naming a finding says yes to it."""

    def test_of_the_whole_run_approves_nothing(self, app: App) -> None:
        app.unregistered()
        run = app.sweep()

        app.apply(run)

        assert app.hand.writes == []
        assert waiting(app).run == run

    def test_of_a_named_finding_is_a_yes(self, app: App) -> None:
        key = app.unregistered()
        run = app.sweep()

        app.apply(run, [key])

        assert app.outcomes(run) == {key: "remediated"}
        (approval,) = app.document(run)["approvals"]
        assert (approval["status"], approval["by"], approval["reason"]) == ("approved", "somebody", "applied by hand")

    def test_goes_on_with_what_was_approved_and_never_begun(self, app: App) -> None:
        """Whoever was to go on with it died."""
        key = app.unregistered()
        run = app.sweep()
        approve(app, waiting(app))
        app.engine.activities["take_up"]({"run": run, "by": "somebody who died"})

        app.apply(run)

        assert app.outcomes(run) == {key: "remediated"}


class TestTheProcess:
    def test_listens_and_looks_at_the_ledger_at_least_every_half_hour(self, app: App) -> None:
        """What was to wake it may be lost on its way."""
        app.unregistered()
        run = app.sweep()

        due = app.engine.activities["next_look"]({"run": run, "attempt": run, "answers": True})

        assert due == {"wait": timedelta(minutes=30).total_seconds(), "listen": True}

    def test_does_not_wait_for_what_was_approved(self, app: App) -> None:
        app.unregistered()
        run = app.sweep()
        approve(app, waiting(app))

        assert app.engine.activities["next_look"]({"run": run, "attempt": run, "answers": True}) == {
            "wait": 0.0,
            "listen": True,
        }

    def test_of_one_who_cannot_be_woken_ends_without_waiting(self, app: App) -> None:
        """The command line: what is verified is verified, and the run stays `waiting`."""
        app.unregistered()
        began = app.clock.now()

        app.sweep()

        assert app.clock.now() == began

    def test_can_be_applied_twice_at_once(self, app: App) -> None:
        """The woken process and a person's `apply`: one of them treats."""
        key = app.unregistered()
        run = app.sweep()
        approve(app, waiting(app))
        drive(apply({"run": run, "attempt": "by-hand", "by": "x", "findings": [key]}), app.activities, app.clock)

        go_on(app, run)

        assert app.hand.writes == ["register Microsoft.Automation"]
