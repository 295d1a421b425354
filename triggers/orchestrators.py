"""Durable Functions drives what `engine.process` writes down: an orchestrator a process, a function an activity.

Nothing is decided here. An orchestrator is replayed from its history after every step, so it does what the process
says and nothing else: no clock but the history's, no request, no log.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, cast

from engine.process import ACTIVITIES, PROCESSES, Activity, Child, Listen, Sleep
from model.documents import Document
from triggers.durable import Blueprint, Context, Task, new_blueprint, retries
from triggers.problems import EngineFor

_RETRIES: Final = retries(first_after_milliseconds=30_000, attempts=5)
"""For faults around an activity: a worker that died, a ledger that does not answer. What Azure does to a step is the
step's own matter, and comes back as an answer."""
_ROOTS: Final = frozenset({"sweep", "apply", "undo"})
"""Processes that are a run's own, and whose failure is the run's."""

type Orchestration = Generator[Task, Document | Task | None, Document]


def blueprint(engine: EngineFor) -> Blueprint:
    functions = new_blueprint()
    for name in PROCESSES:
        _add_orchestrator(functions, name)
    for name in ACTIVITIES:
        _add_activity(functions, name, engine)

    @functions.activity_trigger(input_name="document")
    def fail(document: dict) -> dict:  # type: ignore[type-arg] # the worker takes plain classes only
        """The process itself broke: say so in the run's record."""
        engine().fail(str(document["run"]), str(document["reason"]))
        return {}

    return functions


def _add_orchestrator(functions: Blueprint, process: str) -> None:
    def orchestrator(context: Context) -> Orchestration:
        request: Document = context.get_input(expected_type=dict)
        try:
            return (yield from drive(process, request, context))
        except Exception as error:
            if process in _ROOTS:
                reason = f"the process broke: {error!s:.500}"
                yield context.call_activity_with_retry("fail", _RETRIES, {"run": request["run"], "reason": reason})
            raise

    orchestrator.__name__ = process
    functions.orchestration_trigger(context_name="context")(orchestrator)


def _add_activity(functions: Blueprint, name: str, engine: EngineFor) -> None:
    def activity(document: dict) -> dict:  # type: ignore[type-arg] # as above
        return engine().activities[name](document)

    activity.__name__ = name
    activity.__doc__ = f"The activity `{name}` of the process."
    functions.activity_trigger(input_name="document")(activity)


def drive(process: str, request: Document, context: Context) -> Orchestration:
    """The process as an orchestration: each of its commands is a task of the context."""
    commands = PROCESSES[process](request)
    try:
        command = next(commands)
        while True:
            answer: Document = {}
            if isinstance(command, Listen):
                yield from _heard(command, context)
            else:
                # The answer of a timer is nothing.
                answer = cast("Document | None", (yield _task(command, context))) or {}
            command = commands.send(answer)
    except StopIteration as end:
        result: Document = end.value
        return result


def _heard(command: Listen, context: Context) -> Generator[Task, Document | Task | None]:
    """Wait for the event, or until the time is over."""
    event = context.wait_for_external_event(command.event)
    timer = context.create_timer(context.current_utc_datetime + command.duration)
    if (yield context.task_any([event, timer])) is event:
        timer.cancel()


def _task(command: Activity | Sleep | Child, context: Context) -> Task:
    match command:
        case Activity(name=name, input=given):
            return context.call_activity_with_retry(name, _RETRIES, given)
        case Sleep(duration=duration):
            return context.create_timer(context.current_utc_datetime + duration)
        case Child(process=name, id=id_, input=given):
            return context.call_sub_orchestrator(name, given, id_)
