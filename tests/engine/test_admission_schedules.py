"""Ten thousand random schedules: no error beyond the budget, no machine beyond the cap, no two workers on one machine.

Each schedule is one run at which several workers are at once. Whoever's turn it is does one thing, in any order: asks
to begin, is told so twice, succeeds, fails, or vanishes without a word. The real places and leases are asked, and a
count kept beside them, by the schedule itself, says whether they were right.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.leases import Leases
from engine.ports import Ledger
from engine.slots import Slots
from guardrails.error_budget import admits
from model.plans import Plan, RunScript
from model.states import FailureState
from tests.builders import MINUTE, NOW, a_finding, a_machine, a_plan
from tests.engine.fakes import FakeClock, MemoryLedger

SCHEDULES = 10_000
MACHINES = tuple(a_machine(f"m-{n}") for n in range(8))
STATES = (FailureState.NO_HEARTBEAT, FailureState.CLONED_MACHINE, FailureState.NOT_ASSESSED)
PLANS = tuple(
    a_plan(
        RunScript(machine=machine.arm_id, location="", script="x.sh", parameters={}),
        finding=a_finding(state, machine.id),
    )
    for machine in MACHINES
    for state in STATES
)


@dataclass(slots=True)
class Schedule:
    """One run, its workers, and what they have done; the counts are of what happened, not of what was asked."""

    dice: random.Random
    budget: int
    cap: int
    ledger: Ledger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=FakeClock)
    working: dict[str, Plan] = field(default_factory=dict)
    """By worker: what it is at."""
    vanished: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    touched: set[str] = field(default_factory=set)
    begun: int = 0
    refused: int = 0

    @property
    def places(self) -> Slots:
        return Slots(ledger=self.ledger, name="budget:run", most=self.budget)

    @property
    def reach(self) -> Slots:
        return Slots(ledger=self.ledger, name="reach:run", most=self.cap)

    @property
    def leases(self) -> Leases:
        return Leases(ledger=self.ledger, clock=self.clock)

    def play(self, moves: int) -> None:
        for number in range(moves):
            # Less than the margin in all, but for the times when somebody has vanished for good.
            if self.dice.random() < 0.05:
                self._wait_for_the_vanished()
            if self.working and self.dice.random() < 0.6:
                self._end(self.dice.choice(sorted(self.working)))
            else:
                self._begin(f"worker-{number}", self.dice.choice(PLANS))
            self.check()

    def _begin(self, worker: str, plan: Plan) -> None:
        key, now = f"{worker}:{plan.finding.key}", self.clock.now()
        possible = len(self.working) + sum(self.vanished.values())
        deliveries = self.dice.choice((1, 1, 2, 3))
        admitted = False
        for _ in range(deliveries):
            # Delivered again, it is what it was.
            admitted = (
                self.leases.take(plan, worker) is None
                and self.reach.take([plan.finding.target], now)
                and self.places.take([key], now)
            )
        if not admitted:
            self.leases.give_back(plan, worker)
            self.refused += 1
            return
        assert admits(failures=self.failures, in_flight=possible, budget=self.budget)
        self.working[worker] = plan
        self.touched.add(plan.finding.target)
        self.begun += 1

    def _end(self, worker: str) -> None:
        plan, now = self.working.pop(worker), self.clock.now()
        key = f"{worker}:{plan.finding.key}"
        match self.dice.choice(("success", "success", "failure", "vanished")):
            case "success":
                for _ in range(self.dice.choice((1, 2))):
                    self.places.give_back(key, now)
                    self.leases.give_back(plan, worker)
            case "failure":
                self.failures += 1
                for _ in range(self.dice.choice((1, 2))):
                    self.leases.give_back(plan, worker)
            case _:
                self.vanished[plan.finding.target] += 1

    def _wait_for_the_vanished(self) -> None:
        """Time passes; those who are at work renew, and those who vanished do not."""
        for worker, plan in self.working.items():
            self.leases.renew([plan], worker)
        for _ in range(3):
            self.clock.sleep_until(self.clock.now() + 2 * MINUTE)
            for worker, plan in self.working.items():
                self.leases.renew([plan], worker)

    def check(self) -> None:
        at = Counter(plan.finding.target for plan in self.working.values())
        assert not at or max(at.values()) == 1, "two workers on one machine"
        # Everybody who is at work, or was when he vanished, may have failed for all that anybody knows.
        assert self.failures + len(self.working) + sum(self.vanished.values()) <= self.budget, "beyond the budget"
        assert len(self.touched) <= self.cap, "beyond the cap"


def test_ten_thousand_random_schedules_exceed_nothing() -> None:
    begun, refused, failed, full, wide = 0, 0, 0, 0, 0
    for seed in range(SCHEDULES):
        dice = random.Random(seed)
        schedule = Schedule(dice=dice, budget=dice.randint(0, 5), cap=dice.randint(0, 6))
        schedule.play(moves=dice.randint(1, 24))
        begun, refused, failed = begun + schedule.begun, refused + schedule.refused, failed + schedule.failures
        full += schedule.failures == schedule.budget > 0
        wide += len(schedule.touched) == schedule.cap > 0

    # The schedules did meet their limits, and were not all refused.
    assert min(begun, refused, 3 * failed) > SCHEDULES
    assert min(full, wide) > SCHEDULES // 50


def test_a_place_that_another_worker_takes_between_looking_and_claiming_is_not_taken_twice() -> None:
    """The last one: both have seen it free."""

    class Hurried(MemoryLedger):
        """Another worker is faster, once."""

        faster: Slots | None = None

        def holders(self, keys: Sequence[str], now: datetime) -> dict[str, str]:
            found = super().holders(keys, now)
            if (other := self.faster) is not None:
                self.faster = None
                assert other.take(["other"], NOW)
            return found

    ledger = Hurried()
    places = Slots(ledger=ledger, name="budget:run", most=1)
    ledger.faster = replace(places)

    assert not places.take(["mine"], NOW)
    assert set(places.taken(NOW).values()) == {"other"}


def test_more_places_than_are_looked_at_at_once() -> None:
    places = Slots(ledger=MemoryLedger(), name="reach:run", most=120)

    assert places.take([f"m-{n}" for n in range(119)], NOW)
    assert not places.take(["a", "b"], NOW)
    assert places.take(["a"], NOW)
    assert places.take(["m-7", "a"], NOW), "those have theirs"
    assert len(places.taken(NOW)) == 120
