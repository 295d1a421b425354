"""One worker at a time on a machine and on a deployment; free again when its holder vanishes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.ledgers.sqlite import SqliteLedger
from engine.leases import MARGIN, Leases, clock_went_back, lease_keys
from engine.ports import Entry, StepFailed
from model.plans import Plan, PutDeployment, RunScript, Step
from model.states import FailureState
from tests.builders import DAY, HOUR, MINUTE, NOW, a_finding, a_machine, a_plan, update_deployment
from tests.engine.conftest import App
from tests.engine.fakes import Crash, FakeClock, MemoryLedger

ROOT = Path(__file__).parents[2]
WEB, SQL = a_machine("web-01"), a_machine("sql-01")
WEEKLY = update_deployment("Weekly")


def repair(machine: str = WEB.arm_id, *deployments: str, group: str = "") -> Plan:
    steps: list[Step] = [PutDeployment(deployment=each, before={}, after={}) for each in deployments]
    script = RunScript(machine=machine, location="", script="x.sh", parameters={})
    return a_plan(*(steps or [script]), finding=a_finding(FailureState.CLONED_MACHINE, machine.lower()), group=group)


@pytest.fixture
def leases() -> Leases:
    return Leases(ledger=MemoryLedger(), clock=FakeClock())


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (repair(), repair(), False),
        (repair(), repair(WEB.arm_id.upper()), False),
        (repair(), repair(SQL.arm_id), True),
        # Two machines, and one deployment that both repairs edit.
        (repair(WEB.arm_id, WEEKLY), repair(SQL.arm_id, WEEKLY), False),
        (repair(WEB.arm_id, WEEKLY), repair(SQL.arm_id, update_deployment("Monthly")), True),
        # Two of one set of clones.
        (repair(group="clones"), repair(SQL.arm_id, group="clones"), False),
        (repair(group="clones"), repair(SQL.arm_id, group="others"), True),
    ],
)
def test_two_attempts_share_neither_a_machine_nor_a_deployment(
    leases: Leases,
    one: Plan,
    other: Plan,
    together: bool,  # noqa: FBT001
) -> None:
    assert leases.take(one, "attempt-1") is None

    assert leases.take(other, "attempt-2") == (None if together else "attempt-1")


def test_it_is_all_or_none(leases: Leases) -> None:
    leases.take(repair(SQL.arm_id), "attempt-1")
    both = a_plan(*repair().steps, *repair(SQL.arm_id).steps, finding=repair().finding)

    assert leases.take(both, "attempt-2") == "attempt-1"

    assert leases.take(repair(), "attempt-3") is None


def test_it_lasts_until_a_little_after_the_next_look(leases: Leases) -> None:
    clock = leases.clock
    leases.take(repair(), "attempt-1", wait=15 * MINUTE)

    clock.sleep_until(NOW + 15 * MINUTE + MARGIN - timedelta(seconds=1))
    assert leases.take(repair(), "attempt-2") == "attempt-1"

    clock.sleep_until(NOW + 15 * MINUTE + MARGIN)
    assert leases.take(repair(), "attempt-2") is None


def test_what_another_has_taken_meanwhile_is_not_taken_back(leases: Leases) -> None:
    leases.take(repair(), "attempt-1")
    leases.clock.sleep_until(NOW + MARGIN)
    leases.take(repair(), "attempt-2")

    leases.renew([repair()], "attempt-1")
    leases.give_back(repair(), "attempt-1")

    assert leases.take(repair(), "attempt-3") == "attempt-2"


class TestAHolderThatVanishes:
    """A worker process of its own, on a ledger file that both have open."""

    HELD = timedelta(seconds=1.5)
    WORKER = """
import sys, time
from datetime import timedelta
from pathlib import Path
from adapters.clock import SystemClock
from adapters.clock import SystemClock
from adapters.ledgers.sqlite import SqliteLedger
from engine.leases import Leases
from tests.engine.test_leases import repair
ledger, clock = SqliteLedger(Path(sys.argv[1])), SystemClock()
leases = Leases(ledger=ledger, clock=clock, margin=timedelta(seconds=1.5), beat=timedelta(seconds=0.3))
assert leases.take(repair(), "worker") is None
with leases.kept([repair()], "worker"):
    print("at work", flush=True)
    time.sleep(60)
"""

    def test_keeps_its_lease_while_it_works_and_loses_it_when_it_is_killed(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.sqlite"
        ledger = SqliteLedger(path)
        leases = Leases(ledger=ledger, clock=SystemClock(), margin=self.HELD)
        worker = subprocess.Popen(
            [sys.executable, "-c", self.WORKER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "at work\n"
            # Longer than one lease lasts: it is renewed.
            time.sleep(2 * self.HELD.total_seconds())
            assert leases.take(repair(), "other") == "worker"
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        killed = datetime.now(UTC)
        assert leases.take(repair(), "other") == "worker", "nobody knows yet"

        while leases.take(repair(), "other") == "worker":
            assert datetime.now(UTC) - killed < 3 * self.HELD
            time.sleep(0.05)

        ledger.close()


class TestAClockThatWentBack:
    @pytest.mark.parametrize(("ahead", "told"), [(timedelta(0), False), (5 * MINUTE, False), (6 * MINUTE, True)])
    def test_is_told_by_the_ledger_s_own_lines(self, ahead: timedelta, told: bool) -> None:  # noqa: FBT001
        lines = [Entry(run="r", id=str(n), kind="run", at=NOW + each, body={}) for n, each in enumerate([ahead, -HOUR])]

        why = clock_went_back(lines, NOW)

        assert (why is not None) is told
        assert clock_went_back([], NOW) is None

    def test_applies_nothing_and_says_so(self, app: App) -> None:
        key = app.unregistered()
        run = app.plan()
        app.clock.moment = NOW - HOUR

        app.apply(run)

        assert app.outcomes(run) == {key: "held"}
        assert "the clock went back: it is 2026-03-10T05:00:00Z" in app.reason(run)
        assert app.hand.asked == []

    def test_in_the_middle_of_a_treatment_stops_it(self, app: App) -> None:
        """It waits for a day, because clocks are put right, and gives up in the end."""
        key = app.renamed()

        def back(name: str, _: object) -> None:
            if name == "step":
                app.clock.moment = NOW - 3 * DAY
                app.after = lambda _name, _given: None

        app.after = back

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert "the clock went back" in app.reason(run)
        assert len(app.hand.writes) == 1


class TestTwoThatApplyOneRun:
    def test_exclude_each_other(self, app: App) -> None:
        """The second comes while the first waits between two steps, and begins nothing."""
        key = app.renamed()
        run = app.plan()
        seen: list[str] = []

        def meanwhile(name: str, given: object) -> None:
            if name == "step" and not seen:
                seen.append(name)
                app.apply(run)
                seen.append(app.reason(run))

        app.after = meanwhile

        app.apply(run)

        assert seen == ["step", "run run-1-apply-2 is working on it"]
        assert app.outcomes(run) == {key: "remediated"}
        assert app.hand.writes == ["Weekly: web-01, PT2H", "Weekly: sql-01 web-01, PT2H"]

    def test_one_that_vanished_is_taken_over_after_minutes(self, app: App) -> None:
        key = app.renamed()
        run = app.plan()
        app.hand.lost = {0}
        with pytest.raises(Crash):
            app.apply(run)
        app.hand.lost = set()

        app.apply(run)
        assert app.outcomes(run) == {key: "held"}

        app.clock.sleep_until(app.clock.now() + MARGIN)
        app.apply(run)
        assert app.outcomes(run) == {key: "remediated"}


def test_a_lease_is_held_until_the_machine_is_cleaned_up_after(app: App) -> None:
    """While the step that puts the machine back is tried again for hours, nobody else gets it."""
    app.renamed()
    app.hand.trouble = {1: [StepFailed(reason="500", retry=True)] * 12}
    keys = lease_keys(repair(SQL.arm_id, WEEKLY))
    held: list[bool] = []
    settled: list[int] = []

    def waits(now: datetime) -> None:
        app.world.live(now)
        held.append(len(app.ledger.holders(keys, now)) == len(keys))

    def ended(name: str, _: object) -> None:
        if name == "settle":
            settled.append(len(held))

    app.clock.meanwhile, app.after = waits, ended

    run = app.sweep()

    (until,) = settled
    assert until >= 12
    assert all(held[:until])
    assert not any(held[until:])
    assert app.ledger.held_by(run, app.clock.now()) == set()
