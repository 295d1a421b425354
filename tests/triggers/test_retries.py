"""What Durable Functions is asked to do when something fails, or takes weeks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devhost.durable import Event, InUse, Status
from engine.ports import LedgerUnreadable
from engine.requests import SweepRequest
from model.documents import Document, Json, text_at
from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, Activity, App, failed, the_app, wrap_activity


def test_an_activity_that_fails_for_a_while_is_repeated(azure: Simulator, tmp_path: Path) -> None:
    """The ledger does not answer twice: the sweep takes two timers more, and is completed."""
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        break_activity(app, "survey", times=2)
        run = app.swept()

        assert (run["status"], run["error"]) == ("completed", None)
        (sweep,) = app.instances
        kinds = [event["EventType"] for event in sweep.history]
        assert kinds.count(Event.TASK_FAILED) == 2
        assert kinds.count(Event.TIMER_FIRED) == 2


def test_an_activity_that_fails_for_good_fails_the_run_and_says_why(azure: Simulator, tmp_path: Path) -> None:
    """In the run's document, and in Durable Functions as well; it is not tried for ever."""
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        break_activity(app, "survey", times=99)
        run = app.swept()

        assert run["status"] == "failed"
        assert "the disk is full" in text_at(run, "error")
        assert run["finished"] is not None
        (sweep,) = app.instances
        assert sweep.status is Status.FAILED
        assert [event["EventType"] for event in sweep.history].count(Event.TASK_FAILED) == 5


def test_a_wave_that_breaks_fails_the_run_that_waits_for_it(azure: Simulator, tmp_path: Path) -> None:
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        break_activity(app, "second_look", times=99)
        run = app.swept(dry_run=False)

        assert run["status"] == "failed"
        assert "the disk is full" in text_at(run, "error")
        assert {instance.name for instance in failed(app.instances)} == {"sweep", "wave"}


def test_a_long_wait_is_made_of_timers_that_azure_storage_can_hold(azure: Simulator, tmp_path: Path) -> None:
    """No message stays for more than a week: a wait of weeks is a row of timers, none longer than six days."""
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        answers: Iterator[Document] = iter([{"wait": timedelta(days=20).total_seconds()}, {}])
        wrap_activity(app, "next_look", lambda _: lambda _: next(answers))
        before = azure.now
        run = app.swept(machines=[])

        assert run["status"] == "completed"
        assert azure.now - before == timedelta(days=20)
        (sweep,) = app.instances
        created = [event for event in sweep.history if event["EventType"] == Event.TIMER_CREATED]
        lengths = [time(event["FireAt"]) - time(event["Timestamp"]) for event in created]
        assert len(lengths) > 1
        assert max(lengths) <= timedelta(days=6)


def test_an_instance_that_is_under_way_is_not_replaced(unlocked: App) -> None:
    """Whoever starts a run's process a second time is refused by the host; the first goes on."""
    hub = unlocked.host.host.hub
    request = SweepRequest(run="twice", trigger="http", machines=()).document

    async def twice() -> None:
        hub.start("sweep", "twice", json.dumps(request))
        with pytest.raises(InUse):
            hub.start("sweep", "twice", "{}")

    unlocked.host.run(twice())
    unlocked.finish()

    assert unlocked.run("twice")["status"] == "completed"


def break_activity(app: App, name: str, *, times: int) -> None:
    """Let an activity fail so many times before it does what it should."""
    left = [None] * times

    def broken(whole: Activity) -> Activity:
        def called(document: Document) -> Document:
            if left:
                left.pop()
                raise LedgerUnreadable("ledger: the disk is full")
            return whole(document)

        return called

    wrap_activity(app, name, broken)


def time(text: Json) -> datetime:
    return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
