"""The host's half of Durable Functions, in memory: history goes to the app, the actions it answers are carried out.

As in Azure: an orchestrator is replayed from its whole history for every event; activities run at least once; waits
are timers; a call with retries takes a timer and a new task for each repetition. What an action's task is called is
not said in it: tasks are numbered in the order in which both sides meet them, so each event is an episode of its own.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final, cast

from devhost.worker import InvocationFailed, Worker
from engine.ports import Clock
from model.documents import Document, Json, list_at, text_at
from model.times import parse_time

log = logging.getLogger("devhost")

_MARKER: Final = "$OutOfProcData$:"
"""What the library puts between an orchestrator's error and its state."""
_LONGEST_TIMER: Final = ("6.00:00:00", "3.00:00:00")
"""Azure Storage holds no message for longer than a week: a longer timer is made of shorter ones, of this length."""

_LOOK_AT_THE_CLOCK: Final = 1.0
"""Seconds between two looks at a clock that leaps, while something waits for somebody."""


class Event(IntEnum):
    """Kinds of events in a history, as Durable Task numbers them."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_FAILED = 2
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    CHILD_CREATED = 7
    CHILD_COMPLETED = 8
    CHILD_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15


class Action(IntEnum):
    """Kinds of actions that an orchestrator asks for; those that the app has no use for are refused."""

    CALL_ACTIVITY = 0
    CALL_ACTIVITY_WITH_RETRY = 1
    CALL_SUB_ORCHESTRATOR = 2
    CREATE_TIMER = 5
    WAIT_FOR_EXTERNAL_EVENT = 6
    WHEN_ANY = 11
    WHEN_ALL = 12


class Status(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"


_OPEN: Final = frozenset({Status.PENDING, Status.RUNNING})


class InUse(Exception):
    """An instance of this id is pending or running."""


class NoSuchOrchestrator(Exception):
    """The app has no orchestrator of this name."""


@dataclass(slots=True, kw_only=True)
class _Retry:
    """A call that is repeated when it fails."""

    name: str
    input: str
    attempts: int
    """How many are left."""
    interval: timedelta


@dataclass(slots=True, kw_only=True)
class Instance:
    """One orchestration."""

    id: str
    name: str
    input: str | None
    """JSON text."""
    created: datetime
    parent: tuple[str, int] | None = None
    """The instance that waits for this one, and its task."""
    status: Status = Status.PENDING
    output: Json = None
    updated: datetime | None = None
    history: list[Document] = field(default_factory=list)
    messages: deque[Document] = field(default_factory=deque)
    """Events that have happened and that the orchestrator has not seen yet."""
    execution: str = field(default_factory=lambda: uuid.uuid4().hex)
    tasks: int = 0
    """How many tasks are numbered."""
    actions: int = 0
    """How many of the orchestrator's actions are carried out."""
    retries: dict[int, _Retry] = field(default_factory=dict)
    """By the number of the running try, and of the timer before the next one."""
    listening: dict[int, int] = field(default_factory=dict)
    """By the number of an action: the timer's task. These timers race with an event, and may be cancelled."""
    running: bool = False


@dataclass(order=True, slots=True)
class _Timer:
    due: datetime
    order: int
    instance: Instance = field(compare=False)
    task: int = field(compare=False)
    listens: bool = field(compare=False)
    """It only ends a wait for somebody: time does not leap to it."""


class TaskHub:
    """Every orchestration of one app. Lives on one event loop."""

    def __init__(self, worker: Worker, clock: Clock, *, leaps: bool, deliveries: int = 1) -> None:
        """`leaps`: waiting moves `clock` (the simulated Azure's) as soon as nothing else is to be done.

        `deliveries`: how often every activity and every episode is delivered; more than once happens in Azure.
        """
        self.instances: dict[str, Instance] = {}
        self._worker = worker
        self._clock = clock
        self._leaps = leaps
        self._deliveries = deliveries
        self._timers: list[_Timer] = []
        self._order = itertools.count()
        self._busy = 0
        self._work: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._waiting = asyncio.create_task(self._wait())

    async def stop(self) -> None:
        """Give up everything that is under way."""
        for task in [self._waiting, *self._work]:
            task.cancel()
        await asyncio.gather(self._waiting, *self._work, return_exceptions=True)

    # What the client asks for

    def start(self, name: str, id_: str | None, input_: str | None, parent: tuple[str, int] | None = None) -> Instance:
        """Begin an orchestration; one of the same id that is over is replaced.

        Raises:
            NoSuchOrchestrator, InUse
        """
        function = self._worker.functions.get(name)
        if function is None or function.kind != "orchestrationtrigger":
            raise NoSuchOrchestrator(f"the app has no orchestrator {name!r}")
        id_ = id_ or uuid.uuid4().hex
        if (known := self.instances.get(id_)) and known.status in _OPEN:
            raise InUse(f"an orchestration instance with the id {id_!r} is {known.status.lower()} already")
        now = self._clock.now()
        instance = Instance(id=id_, name=name, input=input_, created=now, updated=now, parent=parent)
        self.instances[id_] = instance
        self._tell(
            instance,
            Event.EXECUTION_STARTED,
            Name=name,
            Input=input_,
            Version="",
            Tags=None,
            OrchestrationInstance={"InstanceId": id_, "ExecutionId": instance.execution},
        )
        return instance

    def raise_event(self, instance: Instance, name: str, data: str) -> None:
        self._tell(instance, Event.EVENT_RAISED, Name=name, Input=data)

    def terminate(self, instance: Instance, reason: str) -> None:
        """What is under way comes to nothing."""
        instance.status, instance.output = Status.TERMINATED, reason
        instance.updated = self._clock.now()
        instance.messages.clear()

    async def finished(self, id_: str) -> Instance:
        """Wait until an instance is over."""
        while self.instances[id_].status in _OPEN:
            self._changed.clear()
            await self._changed.wait()
        return self.instances[id_]

    async def idle(self) -> None:
        """Wait until nothing is under way and nothing waits but for somebody's word."""
        while self._busy or any(not timer.listens for timer in self._timers):
            self._changed.clear()
            await self._changed.wait()

    # Episodes

    def _tell(self, instance: Instance, event: Event, **fields: Json) -> None:
        """Something has happened that an orchestrator waits for."""
        if instance.status not in _OPEN:
            return
        instance.messages.append(self._event(event, **fields))
        if not instance.running:
            instance.running = True
            self._do(self._episodes(instance))

    def _do(self, work: Awaitable[None]) -> None:
        async def counted() -> None:
            try:
                await work
            except Exception:
                log.exception("the development host stumbled")
            finally:
                self._busy -= 1
                self._changed.set()

        self._busy += 1
        task = asyncio.create_task(counted())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _episodes(self, instance: Instance) -> None:
        try:
            while instance.messages and instance.status in _OPEN:
                await self._episode(instance, instance.messages.popleft())
        finally:
            instance.running = False

    async def _episode(self, instance: Instance, message: Document) -> None:
        """Show the orchestrator what happened, and carry out what it asks for next."""
        instance.status = Status.RUNNING
        instance.history += [self._event(Event.ORCHESTRATOR_STARTED), message]
        again = self._repetition(instance, message)
        context = context_of(instance)
        try:
            state = cast("Document", json.loads(await self._delivered(instance.name, "context", context)))
        except InvocationFailed as error:
            if instance.status in _OPEN:
                text = str(error).partition(_MARKER)[0].strip()
                self._over(instance, Status.FAILED, text or str(error))
            return
        if instance.status not in _OPEN:
            return
        if again:
            again()
        actions = [*atoms(list_at(state, "actions"))]
        for number, action in enumerate(actions):
            if number >= instance.actions:
                self._carry_out(instance, number, action)
            elif action.get("isCanceled") is True and number in instance.listening:
                self._cancel(instance, instance.listening.pop(number))
        instance.actions = len(actions)
        instance.history.append(self._event(Event.ORCHESTRATOR_COMPLETED))
        for event in instance.history:
            event["IsPlayed"] = True
        instance.updated = self._clock.now()
        if state.get("isDone") is True:
            self._over(instance, Status.COMPLETED, state.get("output"))

    async def _delivered(self, name: str, parameter: str, given: str) -> str:
        """Call a function as often as it is delivered; the last answer is the one that arrives."""
        for _ in range(self._deliveries - 1):
            await self._worker.invoke_json(name, parameter, given)
        return await self._worker.invoke_json(name, parameter, given)

    def _repetition(self, instance: Instance, message: Document) -> Callable[[], None] | None:
        """What a failed call, or the timer after it, leads to; its number is taken before the orchestrator runs."""
        number = message.get("TaskScheduledId", message.get("TimerId"))
        if not isinstance(number, int) or number not in instance.retries:
            return None
        retry = instance.retries.pop(number)
        if message["EventType"] == Event.TASK_FAILED:
            # After the last try as well: the other side waits for it.
            timer = self._number(instance)
            instance.retries[timer] = retry
            return lambda: self._create_timer(instance, timer, self._clock.now() + retry.interval)
        if message["EventType"] == Event.TIMER_FIRED and retry.attempts > 0:
            task = self._number(instance)
            retry.attempts -= 1
            instance.retries[task] = retry
            return lambda: self._schedule(instance, task, retry.name, retry.input)
        return None

    def _carry_out(self, instance: Instance, number: int, action: Document) -> None:
        match Action(cast("int", action["actionType"])):
            case Action.CALL_ACTIVITY:
                self._schedule(
                    instance, self._number(instance), text_at(action, "functionName"), text_at(action, "input")
                )
            case Action.CALL_ACTIVITY_WITH_RETRY:
                task, options = self._number(instance), cast("dict[str, int]", action["retryOptions"])
                name, input_ = text_at(action, "functionName"), text_at(action, "input")
                instance.retries[task] = _Retry(
                    name=name,
                    input=input_,
                    attempts=options["maxNumberOfAttempts"] - 1,
                    interval=timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"]),
                )
                self._schedule(instance, task, name, input_)
            case Action.CALL_SUB_ORCHESTRATOR:
                self._create_child(instance, self._number(instance), action)
            case Action.CREATE_TIMER:
                due = parse_time(action["fireAt"])
                if due is None:
                    raise ValueError(f"a timer without a time: {action}")
                task = self._number(instance)
                if action.get("isCanceled") is True:
                    return
                if action.get("listens") is True:
                    instance.listening[number] = task
                self._create_timer(instance, task, due, listens=number in instance.listening)
            case Action.WAIT_FOR_EXTERNAL_EVENT:
                # Takes no number: it is known by the event's name.
                pass
            case Action.WHEN_ANY | Action.WHEN_ALL as compound:
                raise ValueError(f"{compound.name} should have been taken apart")

    def _schedule(self, instance: Instance, task: int, name: str, input_: str) -> None:
        instance.history.append(self._event(Event.TASK_SCHEDULED, EventId=task, Name=name, Input=input_))
        self._do(self._activity(instance, task, name, input_))

    async def _activity(self, instance: Instance, task: int, name: str, input_: str) -> None:
        function = self._worker.functions.get(name)
        if function is None or function.kind != "activitytrigger":
            reason = f"the app has no activity {name!r}"
            self._tell(instance, Event.TASK_FAILED, TaskScheduledId=task, Reason=reason, Details="")
            return
        try:
            result = await self._delivered(name, text_at(function.trigger, "name"), input_)
        except InvocationFailed as error:
            log.warning("activity %s of %s failed: %s", name, instance.id, error)
            reason = f"Activity function '{name}' failed: {error}"
            self._tell(instance, Event.TASK_FAILED, TaskScheduledId=task, Reason=reason, Details="")
        else:
            self._tell(instance, Event.TASK_COMPLETED, TaskScheduledId=task, Result=result)

    def _create_child(self, instance: Instance, task: int, action: Document) -> None:
        name, id_ = text_at(action, "functionName"), text_at(action, "instanceId") or f"{instance.execution}:{task}"
        input_ = text_at(action, "input")
        instance.history.append(self._event(Event.CHILD_CREATED, EventId=task, Name=name, InstanceId=id_, Input=input_))
        try:
            self.start(name, id_, input_, parent=(instance.id, task))
        except (NoSuchOrchestrator, InUse) as error:
            self._tell(instance, Event.CHILD_FAILED, TaskScheduledId=task, Reason=str(error), Details="")

    def _over(self, instance: Instance, status: Status, output: Json) -> None:
        instance.status, instance.output = status, output
        instance.updated = self._clock.now()
        instance.messages.clear()
        kind = Event.EXECUTION_COMPLETED if status is Status.COMPLETED else Event.EXECUTION_FAILED
        instance.history.append(self._event(kind, Result=json.dumps(output)))
        if status is Status.FAILED:
            log.error("orchestration %s (%s) failed: %s", instance.id, instance.name, output)
        if instance.parent is None or (waiting := self.instances.get(instance.parent[0])) is None:
            return
        task = instance.parent[1]
        if status is Status.COMPLETED:
            self._tell(waiting, Event.CHILD_COMPLETED, TaskScheduledId=task, Result=json.dumps(output))
        else:
            reason = f"Sub-orchestrator function '{instance.name}' failed: {output}"
            self._tell(waiting, Event.CHILD_FAILED, TaskScheduledId=task, Reason=reason, Details="")

    # Time

    def _create_timer(self, instance: Instance, task: int, due: datetime, *, listens: bool = False) -> None:
        instance.history.append(self._event(Event.TIMER_CREATED, EventId=task, FireAt=_written(due)))
        heapq.heappush(self._timers, _Timer(due, next(self._order), instance, task, listens))
        self._changed.set()

    def _cancel(self, instance: Instance, task: int) -> None:
        """Whatever it raced with was quicker."""
        self._timers = [t for t in self._timers if t.instance is not instance or t.task != task]
        heapq.heapify(self._timers)
        self._changed.set()

    async def _wait(self) -> None:
        """Fires timers; where time leaps, as soon as nothing else is under way."""
        while True:
            while self._timers and self._timers[0].due <= self._clock.now():
                timer = heapq.heappop(self._timers)
                self._tell(timer.instance, Event.TIMER_FIRED, TimerId=timer.task, FireAt=_written(timer.due))
            self._changed.clear()
            leap = min((t.due for t in self._timers if not t.listens), default=None) if self._leaps else None
            if leap is not None and not self._busy:
                await asyncio.to_thread(self._clock.sleep_until, leap)
                continue
            left = (self._timers[0].due - self._clock.now()).total_seconds() if self._timers else None
            if self._leaps:
                # Somebody else may move the simulated clock on.
                left = _LOOK_AT_THE_CLOCK if self._timers else None
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                continue

    # Records

    @staticmethod
    def _number(instance: Instance) -> int:
        instance.tasks += 1
        return instance.tasks - 1

    def _event(self, kind: Event, **fields: Json) -> Document:
        common: Document = {"EventType": kind.value, "EventId": -1, "IsPlayed": False}
        return {**common, "Timestamp": _written(self._clock.now()), **fields}


def context_of(instance: Instance, events: int | None = None) -> str:
    """What an orchestrator function is called with: the instance with its first `events` events, or with all."""
    short, interval = _LONGEST_TIMER
    return json.dumps(
        {
            "history": instance.history[:events],
            "input": instance.input,
            "instanceId": instance.id,
            "isReplaying": False,
            "parentInstanceId": instance.parent[0] if instance.parent else None,
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": 2,
            "maximumShortTimerDuration": short,
            "longRunningTimerIntervalDuration": interval,
        }
    )


def atoms(actions: list[Json]) -> Iterator[Document]:
    """The actions in the order in which they were asked for, those of a compound one by one.

    A timer that races with an event is marked: `listens`.
    """
    for action in actions:
        if isinstance(action, list):
            yield from atoms(action)
        elif isinstance(action, dict):
            if action.get("actionType") in {Action.WHEN_ALL, Action.WHEN_ANY}:
                parts = [*atoms(list_at(action, "compoundActions"))]
                races = any(part["actionType"] == Action.WAIT_FOR_EXTERNAL_EVENT for part in parts)
                yield from ({**part, "listens": races} for part in parts)
            else:
                yield action


def _written(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
