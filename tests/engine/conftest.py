"""An app in memory: the engine on a small world, driven inline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from engine.catalogue import Catalogue
from engine.engine import Engine
from engine.inline import Activities, drive
from engine.process import apply, sweep
from engine.requests import SweepRequest, Trigger
from engine.settings import Settings
from model.documents import Document
from model.facts import Machine
from model.states import FailureState, Impact, Mode
from remediations import action_classes
from tests.builders import ACCOUNT, DAY, HOUR, NOW, SUBSCRIPTION, WORKSPACE, a_body, a_machine, a_machine_run, a_run
from tests.engine.fakes import FakeClock, Hand, MemoryLedger, World

ACT = dict.fromkeys(FailureState, Mode.ACT)


@dataclass(slots=True)
class App:
    """One app: what it is set to, and the parts that it acts with."""

    modes: Mapping[FailureState, Mode] = field(default_factory=lambda: ACT)
    dry_run: bool = False
    clock: FakeClock = field(default_factory=FakeClock)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    world: World = field(init=False)
    hand: Hand = field(init=False)
    engine: Engine = field(init=False)
    after: Callable[[str, Document], None] = lambda _name, _given: None
    """Told of every activity that has ended."""
    started: int = 0

    def __post_init__(self) -> None:
        self.world = World(clock=self.clock, registrations={SUBSCRIPTION: "Registered"})
        self.hand = Hand(world=self.world)
        self.set()

    def set(self, **changes: Any) -> None:
        """Start again with other settings, on the same world and the same ledger."""
        fields: dict[str, Any] = {
            "dry_run": self.dry_run,
            "subscriptions": (SUBSCRIPTION,),
            "account": ACCOUNT,
            "workspace": WORKSPACE,
            "modes": self.modes,
            "opt_in": frozenset(action_classes()),
            "max_machines": 100,
            "max_percent": 100,
            "storm_percent": 100,
            "max_impact": Impact.DISRUPTIVE,
        }
        settings = Settings(**{**fields, **changes})
        self.engine = Engine(
            settings=settings,
            catalogue=Catalogue.of(settings),
            estate=self.world,
            writer=self.hand,
            ledger=self.ledger,
            clock=self.clock,
        )

    @property
    def activities(self) -> Activities:
        def told(name: str, activity: Callable[[Document], Document]) -> Callable[[Document], Document]:
            def called(given: Document) -> Document:
                answer = activity(given)
                self.after(name, given)
                return answer

            return called

        return {name: told(name, activity) for name, activity in self.engine.activities.items()}

    def sweep(
        self,
        *,
        dry_run: bool = False,
        trigger: Trigger = "timer",
        states: Sequence[FailureState] | None = None,
        machines: Sequence[str] | None = None,
        activities: Activities | None = None,
        patience: timedelta | None = None,
    ) -> str:
        """One sweep to its end; answers its run."""
        self.started += 1
        request = SweepRequest(
            run=f"run-{self.started}",
            trigger=trigger,
            dry_run=dry_run,
            states=None if states is None else tuple(states),
            machines=None if machines is None else tuple(machines),
        )
        drive(sweep(request.document), activities or self.activities, self.clock, patience)
        return request.run

    def plan(self, **rest: Any) -> str:
        """A dry run, as a person asks for it."""
        return self.sweep(dry_run=True, trigger="cli", **rest)

    def apply(self, run: str, findings: Sequence[str] | None = None, activities: Activities | None = None) -> str:
        """Apply the saved plan of a run to its end; answers the attempt."""
        self.started += 1
        attempt = f"{run}-apply-{self.started}"
        request: Document = {"run": run, "attempt": attempt, "by": "somebody"}
        if findings is not None:
            request["findings"] = list(findings)
        drive(apply(request), activities or self.activities, self.clock)
        return attempt

    def document(self, run: str) -> dict[str, Any]:
        found = self.engine.document(run)
        assert found is not None
        return found

    def outcomes(self, run: str) -> dict[str, str]:
        """How each finding ended, by its key."""
        return {str(each["finding"]): str(each["outcome"]) for each in self.document(run)["outcomes"]}

    def reason(self, run: str) -> str:
        """Why the only finding ended as it did."""
        (outcome,) = self.document(run)["outcomes"]
        return str(outcome["reason"])

    # Injuries

    def unregistered(self, state: str = "NotRegistered") -> str:
        """The provider is not registered; answers the finding's key."""
        self.world.registrations[SUBSCRIPTION] = state
        return f"automation-rp-not-registered:/subscriptions/{SUBSCRIPTION}"

    def renamed(self, name: str = "sql-01", *, deployment: str = "Weekly", others: Sequence[str] = ("web-01",)) -> str:
        """A machine took a new identity five days ago, and Friday's run called the old one."""
        (key,) = self.all_renamed([name], deployment=deployment, others=others)
        return key

    def all_renamed(
        self, names: Sequence[str], *, deployment: str = "Weekly", others: Sequence[str] = ("web-01",)
    ) -> list[str]:
        injured = [a_machine(name) for name in names]
        machines: list[Machine] = [*injured, *(a_machine(name) for name in others)]
        for machine in machines:
            self.world.machines[machine.id] = machine
            self.world.becomes(machine.id, f"old-{machine.name}", NOW - 30 * DAY)
        body = a_body(deployment, machines=machines)
        self.world.add(body)
        self.world.runs.append(a_run(f"run-of-{deployment}", of=deployment, status="Failed"))
        for machine in injured:
            self.world.becomes(machine.id, f"new-{machine.name}", NOW - 5 * DAY)
            self.world.machine_runs.append(
                a_machine_run(machine, run=f"run-of-{deployment}", of=deployment, source=f"old-{machine.name}")
            )
        return [f"source-id-changed:{machine.id}" for machine in injured]

    def late(self, name: str = "Monthly", *, needs: timedelta = 150 * HOUR / 60) -> str:
        """A deployment ran out of its two hours; its updates take `needs`."""
        machine = a_machine(f"late-{name.lower()}")
        self.world.machines[machine.id] = machine
        self.world.becomes(machine.id, "late", NOW - 30 * DAY)
        body = a_body(name, machines=[machine])
        id_ = str(body["id"]).lower()
        self.world.add(body)
        self.world.needs[id_] = needs
        self.world.runs.append(a_run(f"run-of-{name}", of=name, status="MaintenanceWindowExceeded"))
        self.world.machine_runs.append(
            a_machine_run(machine, run=f"run-of-{name}", of=name, status="MaintenanceWindowExceeded", source="late")
        )
        return f"maintenance-window-exceeded:{id_}"

    def clones(self, *names: str) -> list[str]:
        """Machines that were copied without Sysprep."""
        for name in names:
            machine = a_machine(name)
            self.world.machines[machine.id] = machine
            self.world.becomes(machine.id, "copied", NOW - 30 * DAY)
        return [f"cloned-machine:{a_machine(name).id}" for name in names]


@pytest.fixture
def app() -> App:
    """Everything may act, nothing is broken."""
    return App()


@pytest.fixture
def make_app() -> type[App]:
    """For tests that need more than one world."""
    return App
