"""The kill switch: what is paused starts nothing, keeps what was queued, and goes on only when a person says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.approvals import Decision
from engine.pausing import CONTROL, Pause
from engine.ports import Entry, LedgerUnreadable, StepForbidden
from model.documents import Document
from model.plans import PutDeployment, Step
from model.states import FailureState, Mode
from model.times import format_time
from tests.builders import DAY, HOUR, NOW, update_deployment
from tests.engine.conftest import App

WEEKLY = update_deployment("Weekly").lower()
MACHINE, WINDOW = FailureState.SOURCE_ID_CHANGED, FailureState.MAINTENANCE_WINDOW_EXCEEDED


def pause(app: App, state: FailureState | None = None) -> Pause:
    return app.engine.switch.pause(state, by="anna", reason="an incident")


def resume(app: App, state: FailureState | None = None) -> Pause | None:
    return app.engine.switch.resume(state, by="bert", reason="it is over")


def after_step(app: App, number: int, then: Callable[[], object]) -> None:
    """Do something once, when so many steps of the app have ended."""
    left = [number]

    def told(name: str, given: Document) -> None:
        left[0] -= name == "step"
        if name == "step" and left[0] == 0:
            then()

    app.after = told


def queued(app: App) -> list[tuple[str, int, int]]:
    return [(work.finding, work.done, work.steps) for work in app.engine.switch.queued()]


class TestTheSwitch:
    def test_is_off_until_somebody_pauses(self, app: App) -> None:
        assert app.engine.switch.pauses() == ()
        assert app.engine.may_write() is None

    def test_says_who_since_when_and_why(self, app: App) -> None:
        pause(app)

        assert app.engine.may_write() == "the app is paused since 2026-03-10T06:00:00Z by anna: an incident"

    def test_of_the_app_stops_every_state_and_of_a_state_only_that(self, app: App) -> None:
        pause(app, MACHINE)
        assert app.engine.may_write() is None
        assert app.engine.may_write(WINDOW) is None
        assert (app.engine.may_write(MACHINE) or "").startswith("source-id-changed is paused")

        pause(app)
        assert (app.engine.may_write(WINDOW) or "").startswith("the app is paused")

    def test_each_pause_is_lifted_by_itself(self, app: App) -> None:
        pause(app)
        pause(app, MACHINE)

        assert str(resume(app)).startswith("the app is paused")
        assert [one.state for one in app.engine.switch.pauses()] == ["source-id-changed"]
        assert resume(app) is None, "it was not paused any more"
        resume(app, MACHINE)
        assert app.engine.switch.pauses() == ()

    def test_that_is_on_stays_the_first_one_s(self, app: App) -> None:
        first = pause(app)
        app.clock.moment += HOUR

        assert app.engine.switch.pause(None, by="carl", reason="me too") == first

    def test_keeps_every_turn_of_it_in_the_ledger(self, app: App) -> None:
        pause(app)
        resume(app)
        pause(app, MACHINE)

        turns = [(e.kind, e.body["state"], e.body["by"], e.body["reason"]) for e in app.ledger.entries(CONTROL)]
        assert turns == [
            ("pause", "", "anna", "an incident"),
            ("resume", "", "bert", "it is over"),
            ("pause", "source-id-changed", "anna", "an incident"),
        ]
        assert app.ledger.runs(10) == (), "its record is no run"

    def test_holds_for_a_state_that_only_a_newer_version_knows(self, app: App) -> None:
        app.ledger.append(
            [Entry(run=CONTROL, id="pause:1", kind="pause", at=NOW, body={"state": "state-of-2031", "by": "x"})]
        )

        assert [one.state for one in app.engine.switch.pauses()] == ["state-of-2031"]

    def test_that_cannot_be_read_forbids(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreadable(*_: object, **__: object) -> tuple[Entry, ...]:
            raise LedgerUnreadable("ledger x: damaged")

        monkeypatch.setattr(app.ledger, "entries", unreadable)

        assert app.engine.may_write() == "whether the app is paused cannot be told: ledger x: damaged"

    def test_forbids_to_apply_where_all_that_is_asked_for_is_paused(self, app: App) -> None:
        pause(app, MACHINE)

        assert app.engine.may_apply([MACHINE]) is not None
        assert app.engine.may_apply([MACHINE, WINDOW]) is None
        assert app.engine.may_apply([]) is None
        pause(app)
        assert app.engine.may_apply([]) is not None


class TestASweepWhilePaused:
    def test_still_observes(self, app: App) -> None:
        key = app.renamed()
        pause(app)

        run = app.sweep()

        assert [finding["key"] for finding in app.document(run)["findings"]] == [key]
        assert app.outcomes(run) == {key: "held"}
        assert app.reason(run).startswith("kill-switch: the app is paused")
        assert app.hand.asked == []

    def test_queues_nothing_that_it_has_not_begun(self, app: App) -> None:
        """The next sweep plans it anew."""
        app.renamed()
        pause(app)

        run = app.sweep()

        assert queued(app) == []
        assert app.document(run)["status"] == "completed"

    def test_treats_the_states_that_are_not_paused(self, app: App) -> None:
        machine, window = app.renamed(), app.late()
        pause(app, MACHINE)

        assert app.outcomes(app.sweep()) == {machine: "held", window: "remediated"}

    def test_asks_nobody_for_an_approval(self, app: App) -> None:
        app.set(modes=dict.fromkeys(FailureState, Mode.ASK))
        app.renamed()
        pause(app)

        assert app.document(app.sweep())["approvals"] == []


class TestWhatIsUnderWay:
    def test_starts_no_step_after_the_pause(self, app: App) -> None:
        """Half of a machine's treatment is done, and two more treatments wait: nothing more is written."""
        keys = app.all_renamed(["sql-01", "sql-02", "sql-03"])
        after_step(app, 1, lambda: pause(app))

        run = app.sweep()

        assert app.hand.writes == ["Weekly: sql-02 sql-03 web-01, PT2H"]
        assert app.outcomes(run) == dict.fromkeys(keys, "held")

    def test_is_kept_and_shown(self, app: App) -> None:
        keys = app.all_renamed(["sql-01", "sql-02", "sql-03"])
        after_step(app, 1, lambda: pause(app))

        run = app.sweep()

        assert queued(app) == [(keys[0], 1, 2), (keys[1], 0, 2), (keys[2], 0, 2)]
        document = app.document(run)
        assert (document["status"], document["waitingFor"], document["finished"]) == ("waiting", "resume", None)
        assert document["queued"] == keys
        assert "it is queued until a person goes on with it" in document["outcomes"][0]["reason"]

    def test_is_listed_also_where_somebody_edited_its_plan(self, app: App) -> None:
        """The brake is pulled and says what it stopped, whatever state the records are in."""
        first, *others = app.all_renamed(["sql-01", "sql-02", "sql-03"])
        after_step(app, 1, lambda: pause(app))
        run = app.sweep()
        (line,) = app.ledger.entries(run, about=first, kinds=frozenset({"plan"}))
        plan: Any = line.body["plan"]
        plan["risk"] = "none at all"
        app.ledger.lines[run, line.id] = replace(line, body=line.body)

        works = app.engine.switch.queued()

        assert [work.finding for work in works] == [first, *others]
        assert "changed since" in works[0].name
        assert [(work.done, work.steps) for work in works[1:]] == [(0, 2), (0, 2)]

    def test_holds_back_also_what_puts_a_machine_back(self, app: App) -> None:
        """The operator's stop is explicit; what is missing is told, and done as soon as a person says so."""
        app.renamed()
        after_step(app, 1, lambda: pause(app))

        app.sweep()

        assert app.hand.writes == ["Weekly: web-01, PT2H"]
        assert [work.owed for work in app.engine.switch.queued()] == [(WEEKLY,)]

    def test_does_not_start_again_by_itself(self, app: App) -> None:
        app.renamed()
        after_step(app, 1, lambda: pause(app))
        app.sweep()
        before = queued(app)

        resume(app)
        app.sweep()

        assert app.hand.writes == ["Weekly: web-01, PT2H"]
        assert queued(app) == before != []

    def test_is_finished_when_a_person_goes_on_with_it(self, app: App) -> None:
        keys = app.all_renamed(["sql-01", "sql-02", "sql-03"])
        after_step(app, 1, lambda: pause(app))
        run = app.sweep()
        app.after = lambda *_: None
        resume(app)

        app.apply(run, app.document(run)["queued"])

        assert app.outcomes(run) == dict.fromkeys(keys, "remediated")
        assert len(app.hand.writes) == 6
        assert queued(app) == []
        assert app.document(run)["status"] == "completed"

    def test_is_judged_by_the_first_run_after_it_was_finished(self, app: App) -> None:
        """The run that was to show it passed while it was half done, and shows nothing of the repair."""
        key = app.renamed()
        after_step(app, 1, lambda: pause(app))
        run = app.sweep()
        (planned,) = (treatment.plan.settle.not_before for treatment in app.engine.journal.saved(run).values())
        app.clock.sleep_until(app.clock.now() + 8 * DAY)
        assert planned is not None
        assert planned < app.clock.now()
        app.after = lambda *_: None
        resume(app)

        app.apply(run)

        (applied,) = app.ledger.entries(run, kinds=frozenset({"applied"}))
        assert applied.body["due"] == format_time(planned + 7 * DAY), "a weekly deployment"
        assert app.outcomes(run) == {key: "remediated"}

    def test_waits_on_when_somebody_goes_on_with_it_and_it_is_paused_still(self, app: App) -> None:
        key = app.renamed()
        after_step(app, 1, lambda: pause(app))
        run = app.sweep()

        app.apply(run, [key])

        assert queued(app) == [(key, 1, 2)]
        assert len(app.hand.writes) == 1

    def test_is_cancelled_by_a_person_s_own_change_to_its_target(self, app: App) -> None:
        one, two = app.all_renamed(["sql-01", "sql-02"])
        after_step(app, 2, lambda: pause(app))
        run = app.sweep()
        assert [finding for finding, *_ in queued(app)] == [two]
        app.after = lambda *_: None
        app.world.edit(WEEKLY, "duration", "PT5H")
        resume(app)

        app.apply(run, [two])

        assert app.outcomes(run)[two] == "stale"
        (why,) = [o["reason"] for o in app.document(run)["outcomes"] if o["finding"] == two]
        assert "duration" in why
        assert len(app.hand.writes) == 2
        assert queued(app) == []
        assert one

    def test_of_another_state_goes_on(self, app: App) -> None:
        machine, window = app.renamed(), app.late()
        after_step(app, 1, lambda: pause(app, MACHINE))

        run = app.sweep()

        assert app.outcomes(run)[window] == "remediated"
        assert queued(app) == [(machine, 1, 2)] or app.outcomes(run)[machine] == "remediated"

    def test_that_only_waits_for_its_verification_is_verified(self, app: App) -> None:
        """To look is no step."""
        key = app.unregistered()
        after_step(app, 1, lambda: pause(app))

        assert app.outcomes(app.sweep()) == {key: "remediated"}

    def test_is_looked_at_to_its_end_where_it_was_sent_already(self, app: App) -> None:
        """A script that runs in a machine cannot be called back; what it did is recorded, and then it stops."""
        app.clones("clone-01", "clone-02")
        app.set()
        paused: list[Pause] = []

        def told(name: str, _: Document) -> None:
            if name == "step" and app.hand.scripts and not paused:
                paused.append(pause(app))

        app.after = told

        run = app.sweep()

        events = [(s["index"], s["event"]) for s in app.document(run)["steps"]]
        assert (0, "done") in events
        assert (1, "began") not in events
        assert len(app.hand.scripts) == 1

    def test_is_listed_as_in_flight_until_it_ends(self, app: App) -> None:
        key = app.renamed()
        listed: list[list[tuple[str, int]]] = []

        def look(name: str, _: Document) -> None:
            if name in {"second_look", "step", "settle"}:
                listed.append([(work.finding, work.done) for work in app.engine.switch.in_flight()])

        app.after = look

        app.sweep()

        assert listed == [[(key, 0)], [(key, 1)], [(key, 2)], []]


class TestTheDoor:
    def test_is_asked_about_the_state_that_it_writes_for(self, app: App) -> None:
        """Between the step's beginning and its write: the hand asks as the door does, and is told of the pause."""
        app.renamed()
        refused: list[Step] = []

        def door(step: Step) -> None:
            if isinstance(step, PutDeployment) and step.deployment.lower() == WEEKLY and not refused:
                refused.append(step)
                pause(app, MACHINE)
                app.hand.trouble[len(app.hand.writes)] = [StepForbidden(reason=str(app.engine.may_write()))]

        app.hand.before = door

        run = app.sweep()

        assert len(refused) == 1
        assert [finding for finding, *_ in queued(app)] == [work["finding"] for work in app.document(run)["plans"]][:1]
        assert "source-id-changed is paused" in app.document(run)["outcomes"][0]["reason"]

        resume(app, MACHINE)
        app.apply(run)
        assert set(app.outcomes(run).values()) == {"remediated"}, "its leases were free at once"


class TestApprovalsWhilePaused:
    def test_a_yes_is_kept_and_the_treatment_queued(self, app: App) -> None:
        """It was said before the pause; what it allows waits with the rest."""
        app.set(modes=dict.fromkeys(FailureState, Mode.ASK))
        key = app.renamed()
        run = app.sweep()
        (approval,) = app.engine.approvals.waiting()
        app.engine.approvals.answer(approval.id, Decision.APPROVE, by="anna", reason="yes")
        pause(app)

        app.apply(run, [key])

        assert queued(app) == [(key, 0, 2)]
        assert app.hand.writes == []


def test_the_lock_sets_aside_what_was_begun_as_a_pause_does(app: App) -> None:
    """`DRY_RUN` set while a treatment is half done: it is queued, and finished by a person once the lock is off."""
    key = app.renamed()
    after_step(app, 1, lambda: app.set(dry_run=True))
    run = app.sweep()
    activities: Any = app.activities

    assert queued(app) in ([(key, 1, 2)], [])
    app.set()
    app.after = lambda *_: None
    app.apply(run)

    assert app.outcomes(run) == {key: "remediated"}
    assert activities
