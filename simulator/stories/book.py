"""The book that stories are written into: an estate with one healthy machine to begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from model.states import FailureState
from simulator import rows
from simulator.draft import DAY, HOUR, Draft, Part, Run
from simulator.fleet import Fleet
from simulator.templates import Schedule, Vm

ROLES: Final = {"Windows": ("web", "sql", "app", "file", "erp"), "Linux": ("api", "db", "cache", "queue")}


@dataclass(frozen=True, slots=True)
class Story:
    """One thing that can be told of an estate."""

    machines: int
    """How many machines of its own it needs, at least."""
    tell: Callable[[Book], None]
    injury: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A machine that lost its identity; which runs it failed in is known once its deployments are."""

    vm: Vm
    was: str
    deployments: int = 1


class Book(Draft):
    """A draft whose machines are healthy, but for those that stories tell of."""

    def __init__(self, machines: int, seed: int, now: datetime) -> None:
        super().__init__(machines, seed, now)
        self.ordinary: dict[str, list[Vm]] = {"Windows": [], "Linux": []}
        """Machines that the general deployments name."""
        self.changed: list[Changed] = []
        self.last: list[Callable[[Book], None]] = []
        """What is told when everything else is written."""
        self.base = self.ordinary_machine("Windows")
        """Healthy; lent to stories that need another machine beside their own."""
        self.starts(self.base, self.now - 20 * DAY)
        self.complains(self.base, "Received configuration", event=5002, hours=2)
        self.complains(self.base, "The worker started", log="Microsoft-SMA/Operational", event=15003, hours=2)
        self.reports(self.now - 20 * HOUR, rows.RESUMED, computer=self.base.computer)

    def ordinary_machine(self, system: str) -> Vm:
        vm = self.machine(self.rng.choice(ROLES[system]), system)
        self.lives(vm)
        self.ordinary[system].append(vm)
        return vm

    def weekly(self, hours: int = 2) -> Schedule:
        """Some day of the week, at a quiet hour."""
        return Schedule(every="Week", next_run=self.later("Week"), duration=hours * HOUR)

    def since(self, days: int) -> datetime:
        """So many days ago, and some hours: an agent of which a row a day is kept has beaten within the last day."""
        return self.now - days * DAY - timedelta(minutes=self.rng.randint(70, 600))

    def elsewhere(self, vm: Vm, group: str, *, name: str = "", vm_id: str = "") -> Vm:
        """The same agent under another resource id; another machine where it has another `vm_id`."""
        home = vm.id.split("/resourceGroups/")[0]
        return replace(
            vm,
            id=f"{home}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name or vm.name}",
            vm_id=vm_id or vm.vm_id,
            vmuuid=vm_id or vm.vm_id,
            running=True,
        )

    def fleet(self, states: Iterable[FailureState]) -> Fleet:
        """Fill up with ordinary machines, deploy updates to all that no story keeps apart, and close the book.

        `states` are those of which the truth is complete.
        """
        while self.room:
            self.ordinary_machine("Linux" if self.room % 10 < 3 else "Windows")
        for system, vms in self.ordinary.items():
            if vms:
                self._general_deployments(system, vms)
        for tell in self.last:
            tell(self)
        return self.finished(sorted(states))

    def _general_deployments(self, system: str, vms: list[Vm]) -> None:
        """Weekly ones for everybody, each with its share of the machines that lost their identity."""
        changed = [each for each in self.changed if each.vm.os == system]
        size = 4 if self.size < 100 else 40 if self.size < 1000 else self.rng.randint(150, 300)
        shares = [vms[start : start + size] for start in range(0, len(vms), size)]
        weekly = [Schedule(every="Week", next_run=self.later("Week"), duration=2 * HOUR) for _ in shares]
        monthly = Schedule(every="Month", next_run=self.later("Month"), duration=3 * HOUR)
        twice = [each for each in changed if each.deployments == 2]
        for number, each in enumerate(changed):
            first = weekly[number % len(shares)].run(1)
            newest = min(first, monthly.run(1)) if each in twice else first
            self.changes_identity(each.vm, each.was, newest - self.rng.randint(6, 40) * HOUR)
        for number, (share, schedule) in enumerate(zip(shares, weekly, strict=True)):
            lost = changed[number :: len(shares)]
            name = f"Weekly-{system}-{number + 1:02}"
            self._with_lost(name, [*share, *(each.vm for each in lost)], lost, schedule, system)
        if twice:
            # Half of those that it names are well, so that taking one out never empties the list.
            members = [*vms[: len(twice)], *(each.vm for each in twice)]
            self._with_lost(f"Monthly-{system}", members, twice, monthly, system)

    def _with_lost(
        self, name: str, vms: Sequence[Vm], lost: Sequence[Changed], schedule: Schedule, system: str
    ) -> None:
        before = Run(parts={each.vm.id: Part(source_id=each.was) for each in lost})
        newest = Run(parts={each.vm.id: Part(status="FailedToStart", source_id=each.was) for each in lost})
        self.deployment(name, vms, schedule, [before, before, newest], system=system)
