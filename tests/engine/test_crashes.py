"""The process may die between any two things that it does: what is delivered again changes nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.inline import Activities
from engine.leases import MARGIN
from engine.ports import StepFailed
from model.documents import Document
from tests.builders import a_machine, a_saved_search
from tests.engine.conftest import App
from tests.engine.fakes import Crash


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


def appends() -> int:
    app = injured()
    app.sweep()
    return app.ledger.appends


@pytest.mark.parametrize("before", [True, False], ids=["before the write", "after the write"])
def test_it_may_die_at_every_line_of_the_ledger(before: bool) -> None:  # noqa: FBT001
    """Whether the line was written or not: each change is made once, and each step recorded once."""
    writes, outcomes, steps = undisturbed()
    for number in range(appends()):
        app = injured()
        app.ledger.crash_at, app.ledger.crash_before = number, before

        run = app.sweep(activities=redelivering(app))

        assert app.hand.writes == writes, f"append {number}"
        assert app.outcomes(run) == outcomes, f"append {number}"
        assert recorded(app, run) == steps, f"append {number}"


def test_the_answer_to_every_write_may_be_lost() -> None:
    """Azure did it, and nobody heard of it: the writer finds it done."""
    writes, outcomes, steps = undisturbed()
    for number in range(len(writes)):
        app = injured()
        app.hand.lost = {number}

        run = app.sweep(activities=redelivering(app))

        assert app.hand.writes == writes, f"write {number}"
        assert app.outcomes(run) == outcomes, f"write {number}"
        assert recorded(app, run) == steps, f"write {number}"


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
    first = app.engine.survey(request)
    plans = app.document("run")["plans"]
    app.world.registrations = dict.fromkeys(app.world.registrations, "Registered")

    assert app.engine.survey(request) == first
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
