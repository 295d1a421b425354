"""The ladder over many nights: a repair that was seen not to help gives way to the next, and in the end to a person.

Each sweep comes a day after the one before, when its attempts alone would no longer count.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from engine.ports import Entry
from model.states import FailureState
from model.times import format_time
from tests.builders import DAY, HOUR, MINUTE, NOW, a_machine
from tests.engine.conftest import App
from tests.engine.fakes import Crash

STATES = [FailureState.NO_HEARTBEAT]
RESTART, CLEAR = "windows/restart-agent.ps1", "windows/clear-agent-cache.ps1"


def silent(app: App, name: str = "sql-01", *, helps: str = "", os: str = "Windows") -> str:
    """A machine whose agent is silent, until the script that helps has been there."""
    machine = a_machine(name, os=os)
    app.world.machines[machine.id] = machine
    app.world.silent[machine.id] = NOW - 5 * HOUR
    app.world.helps = helps
    return f"no-heartbeat:{machine.id}"


def night(app: App, number: int) -> tuple[str, str]:
    """The sweep of a night: what its first finding's remediation was, and what came of it."""
    app.clock.sleep_until(NOW + number * DAY)
    return ended(app, app.sweep(states=STATES))


def ended(app: App, run: str) -> tuple[str, str]:
    (outcome,) = app.document(run)["outcomes"]
    return str(outcome["remediation"]), str(outcome["outcome"])


def test_it_is_climbed_a_rung_a_night(app: App) -> None:
    """And the week after, from the start: by then somebody may have changed what was in the way."""
    silent(app)
    app.set(owner="patching@contoso.com")

    assert [night(app, number) for number in range(9)] == [
        ("restart-silent-agent", "ineffective"),
        ("clear-agent-cache", "ineffective"),
        *[("clear-agent-cache", "declined")] * 6,
        ("restart-silent-agent", "ineffective"),
    ]
    reasons = [outcome for run in range(3, 9) for outcome in app.document(f"run-{run}")["outcomes"]]
    tried = "restart-silent-agent (tried once) and clear-agent-cache (tried once) did not help"
    assert {one["reason"] for one in reasons} >= {f"{tried}; patching@contoso.com has to look at it"}
    advice = app.document("run-3")["advice"][0]
    assert "needs patching@contoso.com" in advice["summary"]
    assert any("HybridRunbookWorker" in step for step in advice["steps"])


def test_it_ends_with_what_helps(app: App) -> None:
    silent(app, helps=CLEAR)

    assert night(app, 0) == ("restart-silent-agent", "ineffective")
    assert night(app, 1) == ("clear-agent-cache", "remediated")


def test_a_repair_that_helped_is_tried_again_when_it_happens_again(app: App) -> None:
    key = silent(app, helps=RESTART)
    assert night(app, 0) == ("restart-silent-agent", "remediated")

    app.world.silent[key.partition(":")[2]] = NOW + 20 * HOUR

    assert night(app, 1) == ("restart-silent-agent", "remediated")


def test_the_next_rung_may_be_what_a_person_has_to_do(app: App) -> None:
    """There is no cache to clear on Linux."""
    silent(app, os="Linux")

    assert night(app, 0) == ("restart-silent-agent", "ineffective")
    assert night(app, 1) == ("restart-silent-agent", "declined")


def test_the_last_rung_is_repeated_as_often_as_a_remediation_may_be_tried(app: App) -> None:
    """Nothing comes after the provider's registration, which another hand takes back each time."""
    key = app.unregistered()

    def taken_back(name: str, _: object) -> None:
        if name == "settle":
            app.unregistered()

    app.after = taken_back
    outcomes = []
    for number in range(4):
        app.clock.sleep_until(NOW + number * DAY)
        outcomes.append(app.outcomes(app.sweep(states=[FailureState.AUTOMATION_RP_NOT_REGISTERED]))[key])

    assert outcomes == ["ineffective", "ineffective", "declined", "declined"]


def test_other_targets_have_ladders_of_their_own(app: App) -> None:
    silent(app)
    night(app, 0)
    app.world.silent.clear()
    silent(app, "web-01")

    assert night(app, 1) == ("restart-silent-agent", "ineffective")


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        (MINUTE, "clear-agent-cache"),
        (timedelta(0), "restart-silent-agent"),
    ],
)
def test_what_did_not_help_is_remembered_from_its_verification_on(app: App, early: timedelta, expected: str) -> None:
    """For the time that is set, and for as long again as the verification took."""
    silent(app)
    app.set(ineffective_within=3 * DAY)
    night(app, 0)
    looked = app.clock.now()
    took = looked - begun(app, "run-1")
    assert took >= 10 * MINUTE

    app.clock.sleep_until(looked + 3 * DAY + took - early)

    assert ended(app, app.sweep(states=STATES))[0] == expected


def begun(app: App, run: str) -> datetime:
    return next(line.at for line in app.ledger.entries(run, kinds=frozenset({"step"})))


def test_a_repair_that_takes_days_to_show_is_remembered_too(app: App) -> None:
    """The attempt is forgotten by the time its verification is due, at the machine's next run; what came of it is not.

    So the second verdict, a week after the first, is the last.
    """
    key = app.renamed()
    machine = key.partition(":")[2]

    def reinstalled_again(name: str, _: object) -> None:
        if name == "settle":
            app.world.becomes(machine, f"since-{app.clock.now():%m%d}", app.clock.now())

    app.after = reinstalled_again
    outcomes = []
    for _ in range(3):
        run = app.sweep(states=[FailureState.SOURCE_ID_CHANGED])
        outcomes.append(app.outcomes(run)[key])
        app.clock.sleep_until(app.clock.now() + DAY)

    assert outcomes == ["ineffective", "ineffective", "declined"]
    assert app.clock.now() > NOW + 8 * DAY


@pytest.mark.parametrize("written", [False, True])
def test_who_dies_over_a_verdict_remembers_it_all_the_same(
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    written: bool,  # noqa: FBT001
) -> None:
    """Before it is written down he looks again; after it nobody does."""
    silent(app)
    append = app.ledger.append

    def dies(entries: Sequence[Entry]) -> tuple[bool, ...]:
        if any(entry.body.get("outcome") == "ineffective" for entry in entries):
            if written:
                append(entries)
            raise Crash
        return append(entries)

    monkeypatch.setattr(app.ledger, "append", dies)
    with pytest.raises(Crash):
        night(app, 0)
    monkeypatch.undo()
    app.engine.activities["verify"]({"run": "run-1", "attempt": "run-1"})

    assert ended(app, "run-1") == ("restart-silent-agent", "ineffective")
    assert len([key for key in app.ledger.claims if key.startswith("attempt:")]) == 1
    assert night(app, 1) == ("clear-agent-cache", "ineffective")


def test_a_person_may_try_it_once_more_and_not_a_third_time(app: App) -> None:
    """A plan from before says what it said; the attempts are counted, whoever makes them."""
    key = silent(app)
    plans = [app.plan(states=STATES) for _ in range(3)]

    for number, run in enumerate(plans):
        app.clock.sleep_until(NOW + number * 2 * HOUR)
        app.apply(run)

    outcomes = [app.outcomes(run)[key] for run in plans]
    assert outcomes == ["ineffective", "ineffective", "held"]
    assert app.reason(plans[2]) == "attempts: restart-silent-agent was tried 2 times on sql-01 and did not help"


def test_an_attempt_from_before_this_was_remembered_counts_as_it_did(app: App) -> None:
    key = silent(app)
    target = key.partition(":")[2]
    tried = f'["an-earlier-run", "an-earlier-run", "{format_time(NOW - 2 * HOUR)}"]'
    for number in range(2):
        app.ledger.claim(f"attempt:{target}:restart-silent-agent:{number}", tried, NOW, NOW + 22 * HOUR)

    assert night(app, 0) == ("clear-agent-cache", "ineffective")
