"""The process may die between any two things that it does: what is delivered again changes nothing twice."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import pytest

from engine.approvals import Decision, NotAnswerable
from engine.inline import Activities
from engine.leases import MARGIN
from engine.pausing import CONTROL
from engine.ports import Entry, StepFailed
from model.documents import Document
from model.states import FailureState, Mode
from tests.builders import a_machine, a_saved_search
from tests.engine.conftest import App
from tests.engine.fakes import Crash
from tests.support.tripwire import TrippedEstate, TrippedLedger, TrippedWriter, Tripwire, redelivered


def injured() -> App:
    """A world with every kind of step in it."""
    app = App()
    app.unregistered()
    app.all_renamed(["sql-01", "sql-02"])
    app.late()
    app.clones("clone-01", "clone-02")
    query = f'Heartbeat | where VMUUID in~ ("{a_machine("clone-01").vm_id}")'
    search = a_saved_search(query)
    app.world.searches[search.id] = search
    return app


def undisturbed() -> tuple[list[str], dict[str, str], list[str]]:
    app = injured()
    run = app.sweep()
    return app.hand.writes, app.outcomes(run), recorded(app, run)


def recorded(app: App, run: str) -> list[str]:
    """What the run document says was done, in order."""
    return [f"{step['finding']} {step['index']} {step['event']}" for step in app.document(run)["steps"]]


def redelivering(app: App) -> Activities:
    """Each activity is delivered again where it died, as often as it dies."""

    def again(activity: Callable[[Document], Document]) -> Callable[[Document], Document]:
        def called(given: Document) -> Document:
            while True:
                try:
                    return activity(given)
                except Crash:
                    continue

        return called

    return {name: again(activity) for name, activity in app.activities.items()}


def test_every_activity_may_be_delivered_twice() -> None:
    """Its answer was lost, so it is asked again, with the same input."""
    writes, outcomes, steps = undisturbed()
    app = injured()

    def twice(activity: Callable[[Document], Document]) -> Callable[[Document], Document]:
        def called(given: Document) -> Document:
            activity(given)
            return activity(given)

        return called

    run = app.sweep(activities={name: twice(activity) for name, activity in app.activities.items()})

    assert app.hand.writes == writes
    assert app.outcomes(run) == outcomes
    assert recorded(app, run) == steps


def over_the_wire(app: App, wire: Tripwire) -> App:
    """The same app, that dies where the wire is cut: at a reading, a call of the writer, a line, claim or release."""
    engine = app.engine
    app.engine = dataclasses.replace(
        engine,
        estate=TrippedEstate(engine.estate, wire),
        writer=TrippedWriter(engine.writer, wire),
        ledger=TrippedLedger(engine.ledger, wire),
    )
    return app


# Four of these at once: each takes every fourth place to die at.
@pytest.mark.parametrize("quarter", range(4))
def test_it_may_die_at_everything_that_it_does(quarter: int) -> None:
    """Each change is made once, each step recorded once, and every finding ends as if nothing had died."""
    alive = Tripwire()
    calm = over_the_wire(injured(), alive)
    calm_run = calm.sweep()
    expected = calm.hand.writes, calm.outcomes(calm_run), recorded(calm, calm_run)
    assert len(calm.hand.writes) == 9

    for number in range(quarter, alive.count, 4):
        wire = Tripwire(at=number)
        app = over_the_wire(injured(), wire)

        run = app.sweep(activities={name: redelivered(one) for name, one in app.activities.items()})

        assert wire.cut, f"nothing died after thing {number} of {alive.count}"
        ended = app.hand.writes, app.outcomes(run), recorded(app, run)
        assert ended == expected, f"dead after thing {number} of {alive.count}"
        assert not [key for key in app.ledger.held_by(run, app.clock.now()) if key.startswith("lease:")]


def answered(wire: Tripwire) -> tuple[object, ...]:
    """A treatment that is asked about, approved and applied, by a process that dies where the wire is cut."""
    app = App(modes=dict.fromkeys(FailureState, Mode.ASK))
    key = app.renamed()
    run = app.sweep()
    (approval,) = app.engine.approvals.waiting()
    over_the_wire(app, wire)
    # Whoever was not told that the answer was taken says it again, and is told then.
    with contextlib.suppress(NotAnswerable):
        redelivered(app.engine.answer)(approval.id, Decision.APPROVE, by="anna", reason="yes")
    app.apply(run, [key], {name: redelivered(one) for name, one in app.activities.items()})
    said = [(one.kind, one.body.get("by")) for one in app.ledger.entries(run, kinds=frozenset({"answer", "taken"}))]
    return app.hand.writes, app.outcomes(run), recorded(app, run), said, app.document(run)["status"]


def test_an_approved_treatment_may_die_anywhere() -> None:
    """The answer is one answer, taken up once, and the change is made once."""
    alive = Tripwire()
    expected = answered(alive)
    assert len(expected[0]) == 2  # type: ignore[arg-type] # the writes

    for number in range(alive.count + 1):
        wire = Tripwire(at=number)
        assert answered(wire) == expected, f"dead after thing {number} of {alive.count}"
        assert wire.cut


def paused(wire: Tripwire) -> tuple[object, ...]:
    """A treatment that is paused half-way and gone on with, by processes that die where the wire is cut."""
    app = App()
    app.renamed()
    over_the_wire(app, wire)

    def stop(name: str, given: Document) -> None:
        if name == "step" and given["index"] == 0 and not app.engine.switch.pauses():
            app.ledger.append([Entry(run=CONTROL, id="pause", kind="pause", at=app.clock.now(), body={"state": ""})])

    app.after = stop
    run = app.sweep(activities={name: redelivered(one) for name, one in app.activities.items()})
    half = list(app.hand.writes), app.document(run)["queued"], app.document(run)["status"]
    app.after = lambda *_: None
    app.ledger.append([Entry(run=CONTROL, id="resume", kind="resume", at=app.clock.now(), body={"state": ""})])
    app.apply(run, activities={name: redelivered(one) for name, one in app.activities.items()})
    return half, app.hand.writes, app.outcomes(run), recorded(app, run), app.engine.switch.queued()


def test_a_paused_treatment_may_die_anywhere() -> None:
    """It stops at the same place, is queued once, and is finished once."""
    alive = Tripwire()
    expected = paused(alive)
    assert [len(one) for one in (expected[0][0], expected[1])] == [1, 2]  # type: ignore[index, arg-type] # the writes

    for number in range(alive.count + 1):
        wire = Tripwire(at=number)
        assert paused(wire) == expected, f"dead after thing {number} of {alive.count}"
        assert wire.cut


def test_it_may_die_while_it_tries_again() -> None:
    """Also then a step is one step."""

    def troubled() -> App:
        app = injured()
        app.hand.trouble = {number: [StepFailed(reason="409", retry=True)] for number in range(6)}
        return app

    calm = troubled()
    calm_run = calm.sweep()
    for number in range(calm.ledger.appends):
        app = troubled()
        app.ledger.crash_at, app.ledger.crash_before = number, False

        run = app.sweep(activities=redelivering(app))

        assert app.hand.writes == calm.hand.writes, f"append {number}"
        assert app.outcomes(run) == calm.outcomes(calm_run), f"append {number}"


def test_a_run_that_was_surveyed_is_not_planned_anew() -> None:
    """The plan that was recorded is the plan, however the world looks when the survey is delivered again."""
    app = injured()
    request: Document = {"run": "run", "trigger": "timer", "dryRun": False}
    first = app.engine.activities["survey"](request)
    plans = app.document("run")["plans"]
    app.world.registrations = dict.fromkeys(app.world.registrations, "Registered")

    assert app.engine.activities["survey"](request) == first
    assert app.document("run")["plans"] == plans


def test_a_process_that_died_for_good_is_taken_up_by_applying_again() -> None:
    """Its leases end minutes after it vanished, and what it had done is done."""
    writes, *_ = undisturbed()
    for number in range(len(writes)):
        app = injured()
        run = app.plan()
        app.hand.lost = {number}
        with pytest.raises(Crash):
            app.apply(run)
        app.hand.lost = set()
        app.clock.sleep_until(app.clock.now() + MARGIN)

        app.apply(run)

        assert sorted(app.hand.writes) == sorted(writes), f"write {number}"
