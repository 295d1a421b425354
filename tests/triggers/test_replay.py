"""Orchestrators under replay: whatever point a worker dies at, the next one asks for the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import pytest

from devhost.durable import Action, Event, Instance, atoms, context_of
from devhost.host import HostThread
from model.documents import Document
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.triggers.app import UNLOCKED, App, failed, objects, the_app

ASKED: Final = "automation-rp-not-registered"
ASKING: Final = f'{{"*": "act", "{ASKED}": "ask"}}'
TASKS: Final = {Event.TASK_SCHEDULED, Event.CHILD_CREATED, Event.TIMER_CREATED}


def asked(host: HostThread, instance: Instance, events: int) -> list[Document]:
    """What an orchestrator asks for when it is shown the first `events` events.

    Without waits for somebody's word, which are no tasks, and without that a timer was cancelled later.
    """
    state = json.loads(host.run(host.host.worker.invoke_json(instance.name, "context", context_of(instance, events))))
    tasks = [one for one in atoms(state["actions"]) if one["actionType"] != Action.WAIT_FOR_EXTERNAL_EVENT]
    return [{name: value for name, value in one.items() if name != "isCanceled"} for one in tasks]


def episodes(instance: Instance) -> Iterator[int]:
    """After how many events an orchestrator was called: after each that it had to be told of."""
    for number, event in enumerate(instance.history):
        if event["EventType"] == Event.ORCHESTRATOR_STARTED:
            yield number + 2


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app that has swept, planned, applied and verified, and asked a person, with the histories of all that.

    They are only read.
    """
    with (
        running(sample(), options=Options(retry_after=0)) as azure,
        the_app(
            azure, tmp_path_factory.mktemp("applied") / "ledger.sqlite", {**UNLOCKED, "PATCHWRIGHT_MODES": ASKING}
        ) as app,
    ):
        app.swept(dry_run=False, states=[ASKED])
        first, second = objects(app.get("/approvals").json, "approvals")
        for approval, decision in ((first, "reject"), (second, "approve")):
            app.post(f"/approvals/{approval['id']}", {"decision": decision, "reason": "for the history"})
            app.finish()
        run = app.swept()
        assert app.post(f"/runs/{run['id']}/apply").status == 202
        app.finish()
        assert failed(app.instances) == []
        yield app


def test_a_history_cut_anywhere_leads_to_the_same_next_step(applied: App) -> None:
    """
    Between any two events the worker may die and another take over with the history so far. What it asks for has to
    begin with everything that was asked for already, in the same order, and go on with what happened next.
    """
    for instance in applied.instances:
        cuts = list(episodes(instance))
        before: list[Document] = []
        for events in cuts:
            actions = asked(applied.host, instance, events)
            assert actions[: len(before)] == before
            before = actions
        scheduled = [event for event in instance.history if event["EventType"] in TASKS]
        assert len(before) == len(scheduled), f"{instance.name} asked for what was carried out"


def test_the_same_history_gives_the_same_answer_each_time(applied: App) -> None:
    for instance in applied.instances:
        whole = len(instance.history) - 1
        assert asked(applied.host, instance, whole) == asked(applied.host, instance, whole)


def test_an_orchestrator_reads_no_clock_but_the_historys(applied: App) -> None:
    """Replayed a year later by the machine's clock or the estate's, every timer is due when it was due."""
    (sweep,) = [instance for instance in applied.instances if instance.name == "apply"]
    fires = [event["FireAt"] for event in sweep.history if event["EventType"] == Event.TIMER_CREATED]
    assert fires

    again = asked(applied.host, sweep, len(sweep.history) - 1)

    assert [action["fireAt"] for action in again if "fireAt" in action] == fires
