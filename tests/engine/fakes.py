"""A small world in memory: an Azure that runs its deployments, a ledger, a clock, and a hand that writes.

The world is as simple as the promises of the engine allow: a deployment calls the identity that a machine had when the
deployment was last saved with it anew, and runs when its time comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.ports import (
    RESERVED,
    Entry,
    Progress,
    RequestCount,
    StepDone,
    StepPending,
    StepProgress,
    StepStale,
)
from model.deployments import same_deployment
from model.documents import Document, Json, at, list_at, text_at
from model.facts import (
    Facts,
    LogWorkspace,
    Machine,
    MachineRun,
    PowerState,
    ProviderRegistration,
    Reading,
    Row,
    SavedSearch,
    UpdateRun,
    run_commands_of,
)
from model.plans import (
    AwaitIdentity,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
)
from model.times import format_duration, format_time, parse_duration, parse_time
from tests.builders import DAY, HOUR, MINUTE, NOW, a_beat, a_workspace, an_identity, an_instance_view, facts

MACHINES: Final = "properties.updateConfiguration.azureVirtualMachines"
_KEPT: Final = ("id", "name", "type")


class Crash(BaseException):
    """The process dies here; what was delivered is delivered again."""


def _sent(document: Document) -> Document:
    """What arrives of a document on the other side of a wire: its own copy, as JSON has it."""
    arrived: Document = json.loads(json.dumps(document))
    return arrived


def _kept(entry: Entry) -> Entry:
    return replace(entry, body=_sent(entry.body))


class FakeClock:
    """Moves when somebody sleeps, and lets the world live meanwhile."""

    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now
        self.sleeps: list[timedelta] = []
        self.meanwhile: Callable[[datetime], None] = lambda _: None

    def now(self) -> datetime:
        return self.moment

    def sleep_until(self, due: datetime) -> None:
        self.sleeps.append(due - self.moment)
        # No process of any test waits as often as that, so that one which never ends fails at once.
        assert len(self.sleeps) < 2_000, f"the process does not end: it waits again, for {self.sleeps[-1]}"
        self.moment = max(self.moment, due)
        self.meanwhile(self.moment)


class MemoryLedger:
    """What the port promises, and nothing that outlives the test; `crash_at` dies at the n-th append, once."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], Entry] = {}
        self.claims: dict[str, tuple[str, datetime]] = {}
        self.appends = 0
        self.crash_at: int | None = None
        self.crash_before = True

    def append(self, entries: Sequence[Entry]) -> tuple[bool, ...]:
        number, self.appends = self.appends, self.appends + 1
        if number == self.crash_at and self.crash_before:
            raise Crash
        new = []
        for entry in entries:
            new.append((entry.run, entry.id) not in self.lines)
            self.lines.setdefault((entry.run, entry.id), _kept(entry))
        if number == self.crash_at:
            raise Crash
        return tuple(new)

    def entries(self, run: str, *, about: str | None = None, kinds: frozenset[str] | None = None) -> tuple[Entry, ...]:
        return tuple(
            _kept(line)
            for line in self.lines.values()
            if line.run == run and about in {None, line.about} and (kinds is None or line.kind in kinds)
        )

    def runs(self, limit: int, before: str | None = None) -> tuple[str, ...]:
        found = sorted({run for run, _ in self.lines if not run.startswith(RESERVED)}, reverse=True)
        return tuple(run for run in found if before is None or run < before)[:limit]

    def claim(self, key: str, holder: str, now: datetime, until: datetime) -> str:
        held = self.claims.get(key)
        if held is None or held[0] == holder or held[1] <= now:
            self.claims[key] = (holder, until)
        return self.claims[key][0]

    def holders(self, keys: Sequence[str], now: datetime) -> dict[str, str]:
        return {key: self.claims[key][0] for key in keys if key in self.claims and self.claims[key][1] > now}

    def release(self, key: str, holder: str) -> None:
        if key in self.claims and self.claims[key][0] == holder:
            del self.claims[key]

    def close(self) -> None:
        """Nothing is open."""

    def held_by(self, holder: str, now: datetime) -> set[str]:
        """The keys that somebody holds now."""
        return {key for key, (who, until) in self.claims.items() if who == holder and until > now}


@dataclass(slots=True)
class World:
    """The estate as it is now. Implements `Estate`: it is read as it stands."""

    clock: FakeClock
    machines: dict[str, Machine] = field(default_factory=dict)
    bodies: dict[str, Document] = field(default_factory=dict)
    runs: list[UpdateRun] = field(default_factory=list)
    machine_runs: list[MachineRun] = field(default_factory=list)
    registrations: dict[str, str] = field(default_factory=dict)
    searches: dict[str, SavedSearch] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    identity: dict[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    """By machine: the agent's identities, each with when it began."""
    calls: dict[tuple[str, str], str] = field(default_factory=dict)
    """By deployment and machine: the identity that a run calls."""
    commands: dict[str, list[Json]] = field(default_factory=dict)
    """By machine: the run commands that it has."""
    needs: dict[str, timedelta] = field(default_factory=dict)
    """By deployment: how long its updates take."""
    workspace: LogWorkspace = field(default_factory=a_workspace)
    silent: dict[str, datetime] = field(default_factory=dict)
    """By machine whose agent is silent: when it beat last."""
    helps: str = ""
    """The script that makes a silent agent beat again; empty: none does."""
    requests: RequestCount = field(default_factory=RequestCount)
    readings: list[frozenset[Reading]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock.meanwhile = self.live

    # Estate

    def read(self, readings: frozenset[Reading], queries: Mapping[str, str], progress: Progress) -> Facts:
        self.requests.read += len(readings) + len(queries)
        self.readings.append(readings)
        read = facts(
            machines=self.machines.values(),
            bodies=[_sent(body) for body in self.bodies.values()],
            runs=self.runs,
            machine_runs=self.machine_runs,
            searches=[replace(one, document=_sent(one.document)) for one in self.searches.values()],
            workspace=self.workspace,
            registrations=[
                ProviderRegistration(subscription=subscription, namespace="Microsoft.Automation", state=state)
                for subscription, state in self.registrations.items()
            ],
            rows={
                "source-id-changed": self._identities(),
                "cloned-machine": self._sharers(),
                "no-heartbeat": self._silent(),
            },
            unreadable=self.unreadable,
            subscriptions=self.registrations,
            now=self.clock.now(),
        )
        return replace(read, documents={})

    def look_closer(self, facts: Facts, ids: frozenset[str]) -> Facts:
        self.requests.read += len(ids)
        views = {id_: an_instance_view(self.machines[id_]) for id_ in ids if id_ in self.machines}
        bodies = {id_: _sent(self.bodies[id_]) for id_ in ids if id_ in self.bodies}
        commands: dict[str, Document] = {
            run_commands_of(id_): {"value": list(self.commands.get(id_, []))}
            for id_ in self.machines
            if run_commands_of(id_) in ids
        }
        return replace(facts, documents={**facts.documents, **views, **bodies, **commands})

    # What happens by itself

    def live(self, now: datetime) -> None:
        """Run every deployment whose time has come."""
        for id_, body in self.bodies.items():
            while (due := parse_time(at(body, "properties.scheduleInfo.nextRun"))) and due <= now:
                self._run(id_, body, due)
                self.set(id_, "scheduleInfo", "nextRun", f"{due + 7 * DAY:%Y-%m-%dT%H:%M:%S}.0000000+00:00")

    def _run(self, id_: str, body: Document, due: datetime) -> None:
        name, window = (
            text_at(body, "name").lower(),
            parse_duration(at(body, "properties.updateConfiguration.duration")),
        )
        run, late = f"{name}-{due:%m%d}", self.needs.get(id_, HOUR) > (window or HOUR)
        for machine in (str(m).lower() for m in list_at(body, MACHINES)):
            called = self.calls.get((id_, machine), "")
            status = "failedtostart" if called != self.now_as(machine) else "maintenancewindowexceeded" if late else ""
            if status:
                part = MachineRun(
                    id=f"{run}-{machine}", run=run, deployment=name, target=machine, status=status,
                    source_computer_id=called, error="", start=due,
                )  # fmt: skip
                self.machine_runs.append(part)
        status = "maintenancewindowexceeded" if late else "succeeded"
        self.runs.append(
            UpdateRun(id=run, deployment=name, status=status, configured_duration=window, start=due, end=due + HOUR)
        )

    # What somebody does

    def add(self, body: Document) -> None:
        id_ = text_at(body, "id").lower()
        self.bodies[id_] = body
        for machine in (str(m).lower() for m in list_at(body, MACHINES)):
            self.calls[id_, machine] = self.now_as(machine)

    def save(self, id_: str, after: Document) -> None:
        """PUT: everything is replaced, but for what the service writes itself."""
        before = self.bodies[id_]
        body = _sent(after) | {key: before[key] for key in _KEPT}
        listed = {str(m).lower() for m in list_at(before, MACHINES)}
        start = parse_time(at(after, "properties.scheduleInfo.startTime"))
        while start and start <= self.clock.now():
            # The writer puts no start in the past: the schedule goes on at its next date.
            start += 7 * DAY
        self.bodies[id_] = body
        self.set(id_, "scheduleInfo", "nextRun", format_time(start) if start else None)
        self.touch(id_)
        for machine in (str(m).lower() for m in list_at(after, MACHINES)):
            if machine not in listed:
                self.calls[id_, machine] = self.now_as(machine)

    def touch(self, id_: str) -> None:
        properties = self.bodies[id_]["properties"]
        assert isinstance(properties, dict)
        properties |= {"provisioningState": "Succeeded", "lastModifiedTime": format_time(self.clock.now())}

    def set(self, id_: str, part: str, name: str, value: Json) -> None:
        there = at(self.bodies[id_], f"properties.{part}")
        assert isinstance(there, dict)
        there[name] = value

    def edit(self, id_: str, name: str, value: Json) -> None:
        """Somebody else changes a deployment."""
        self.set(id_, "updateConfiguration", name, value)
        self.touch(id_)

    def becomes(self, machine: str, identity: str, since: datetime) -> None:
        self.identity.setdefault(machine, []).append((identity, since))

    def now_as(self, machine: str) -> str:
        return self.identity[machine][-1][0] if machine in self.identity else ""

    def _identities(self) -> list[Row]:
        rows: list[Row] = []
        for id_, had in self.identity.items():
            ends = [since for _, since in had[1:]] + [self.clock.now()]
            if len(had) > 1 and id_ in self.machines:
                rows += [
                    an_identity(self.machines[id_], source, first=since, last=end - MINUTE)
                    for (source, since), end in zip(had, ends, strict=True)
                ]
        return rows

    def _silent(self) -> list[Row]:
        """The machines whose agent is silent, as `no-heartbeat.kql` answers."""
        return [
            a_beat(self.machines[id_], "") | {"LastBeat": format_time(last), "NewerBeat": None}
            for id_, last in self.silent.items()
        ]

    def _sharers(self) -> list[Row]:
        now_as = {id_: self.now_as(id_) for id_ in self.identity if id_ in self.machines}
        sharing = [id_ for id_, one in now_as.items() if sum(one == other for other in now_as.values()) > 1]
        return [a_beat(self.machines[id_], now_as[id_], now=self.clock.now()) for id_ in sharing]


type Trouble = StepProgress | Exception


@dataclass(slots=True)
class Hand:
    """Implements `Writer` on a world: re-reads, compares, writes, and keeps a list of every change."""

    world: World
    requests: RequestCount = field(default_factory=RequestCount)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Every call: `begin` or `check`, and the step's kind."""
    writes: list[str] = field(default_factory=list)
    """Every change that was made, in order."""
    trouble: dict[int, list[Trouble]] = field(default_factory=dict)
    """By the number of the write that would come next: what is answered instead, as often as there are answers."""
    lost: set[int] = field(default_factory=set)
    """Numbers of writes that happen, and whose answer is lost."""
    before: Callable[[Step], None] = lambda _: None
    """Somebody else's chance, right before a step."""
    scripts: dict[str, str] = field(default_factory=dict)
    """By step id: what was sent, as Azure remembers it."""

    def begin(self, step: Step, step_id: str, ours: Mapping[str, Document]) -> StepProgress:
        self.asked.append(("begin", type(step).__name__))
        self.before(step)
        self.requests.read += 1
        match step:
            case PutDeployment():
                return self._put_deployment(step, ours)
            case PutSavedSearch():
                return self._put_search(step)
            case RunScript():
                if step_id not in self.scripts:
                    self.scripts[step_id] = step.machine.lower()
                    self._write(f"{step.script} on {step.machine.rsplit('/', 1)[1]}")
                return StepPending(look_again=10 * MINUTE / 60, token={"sent": step_id})
            case AwaitIdentity():
                return self._awaited(step)
            case RegisterProvider():
                state = self.world.registrations[step.subscription]
                if state.lower() in {"registered", "registering"}:
                    return StepDone()
                if state != step.state_before:
                    return StepStale(field="registrationState", planned=step.state_before, found=state)
                if trouble := self._trouble():
                    return trouble
                self.world.registrations[step.subscription] = "Registered"
                return self._write(f"register {step.namespace}")

            case StartMachine():
                machine = self.world.machines[step.machine.lower()]
                self.world.machines[machine.id] = replace(machine, power=PowerState.RUNNING)
                return self._write(f"start {machine.name}")
            case SetDailyQuota():
                return self._write(f"daily cap {step.gb_after:g} GB")

    def check(self, step: Step, step_id: str, token: Document) -> StepProgress:
        self.asked.append(("check", type(step).__name__))
        match step:
            case RunScript():
                assert token == {"sent": step_id}
                machine = self.scripts[step_id]
                self.world.becomes(machine, f"new-{machine.rsplit('/', 1)[1]}", self.world.clock.now())
                if step.script == self.world.helps:
                    self.world.silent.pop(machine, None)
                return StepDone(result={"outcome": "reset", "sha256": "00"})
            case AwaitIdentity():
                return self._awaited(step)
            case _:
                return StepDone()

    def _put_deployment(self, step: PutDeployment, ours: Mapping[str, Document]) -> StepProgress:
        id_ = step.deployment.lower()
        current, mine = self.world.bodies[id_], ours.get(id_)
        if same_deployment(current, step.after) is None:
            return StepDone()
        if mine is None or same_deployment(mine, current) is not None:
            if change := same_deployment(step.before, current):
                return StepStale(field=change.field, planned=change.before, found=change.after)
            saved = "properties.lastModifiedTime"
            if at(step.before, saved) and parse_time(at(step.before, saved)) != parse_time(at(current, saved)):
                return StepStale(field=saved, planned=at(step.before, saved), found=at(current, saved))
        if trouble := self._trouble():
            return trouble
        self.world.save(id_, step.after)
        names = [str(m).rsplit("/", 1)[1] for m in list_at(step.after, MACHINES)]
        length = parse_duration(at(step.after, "properties.updateConfiguration.duration"))
        return self._write(f"{text_at(current, 'name')}: {' '.join(names)}, {format_duration(length or timedelta())}")

    def _put_search(self, step: PutSavedSearch) -> StepProgress:
        search = self.world.searches[step.saved_search.lower()]
        if at(search.document, "properties") == at(step.after, "properties"):
            return StepDone()
        if at(search.document, "properties") != at(step.before, "properties"):
            return StepStale(field="properties.query", planned=None, found=None)
        if trouble := self._trouble():
            return trouble
        self.world.searches[search.id] = replace(search, document=_sent(step.after))
        return self._write("saved search")

    def _awaited(self, step: AwaitIdentity) -> StepProgress:
        if self.world.now_as(step.machine.lower()) == step.not_source_computer_id:
            return StepPending(look_again=2 * MINUTE)
        return StepDone()

    def _trouble(self) -> StepProgress | None:
        waiting = self.trouble.get(len(self.writes), [])
        if not waiting:
            return None
        trouble = waiting.pop(0)
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    def _write(self, what: str) -> StepDone:
        number = len(self.writes)
        self.writes.append(what)
        self.requests.write += 1
        if number in self.lost:
            raise Crash
        return StepDone(request_ids=(f"request-{number}",))
