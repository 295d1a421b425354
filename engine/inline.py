"""Drives a process in this thread: the command line, the tests, and wherever there is no Durable Functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from engine.ports import Clock
from engine.process import PROCESSES, Activity, Child, Listen, Process, Sleep
from model.documents import Document

type Activities = Mapping[str, Callable[[Document], Document]]


class TooLongToWait(Exception):
    """A wait is longer than the caller's patience; what was done is recorded, and the process can be taken up later."""

    def __init__(self, duration: timedelta) -> None:
        super().__init__(f"the next look is due in {duration}")
        self.duration = duration


def drive(process: Process, activities: Activities, clock: Clock, patience: timedelta | None = None) -> Document:
    """Run a process to its end.

    Raises:
        TooLongToWait: a wait is longer than `patience` (None waits for ever).
    """
    answer: Document | None = None
    while True:
        try:
            # A generator is started by sending None, which its type does not say.
            command = next(process) if answer is None else process.send(answer)
        except StopIteration as end:
            result: Document = end.value
            return result
        match command:
            case Activity(name=name, input=given):
                answer = activities[name](given)
            case Sleep(duration=duration):
                if patience is not None and duration > patience:
                    raise TooLongToWait(duration)
                clock.sleep_until(clock.now() + duration)
                answer = {}
            case Listen():
                # Nobody can be heard in this thread; an answer takes the run up again.
                answer = {"deaf": True}
            case Child(process=name, input=given):
                answer = drive(PROCESSES[name](given), activities, clock, patience)
