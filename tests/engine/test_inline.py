"""The process is one generator; here it is driven in this thread."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import pytest

from engine.inline import TooLongToWait, drive
from engine.process import ACTIVITIES, PROCESSES, Activity, Child, Command, Process, Sleep, sweep
from model.documents import Document
from tests.builders import HOUR, MINUTE, NOW
from tests.engine.conftest import App
from tests.engine.fakes import FakeClock


def counting(request: Document) -> Process:
    first = yield Activity(name="add", input={"n": 1})
    yield Sleep(duration=HOUR)
    second = yield Activity(name="add", input=first)
    return {**second, "asked": request}


def test_answers_go_back_into_the_process_and_its_end_is_the_answer() -> None:
    clock = FakeClock()

    def add(given: Document) -> Document:
        number = given["n"]
        assert isinstance(number, int)
        return {"n": number + 1}

    assert drive(counting({"by": "me"}), {"add": add}, clock) == {"n": 3, "asked": {"by": "me"}}
    assert (clock.now(), clock.sleeps) == (NOW + HOUR, [HOUR])


def test_a_wait_beyond_the_caller_s_patience_ends_the_drive_and_not_the_run() -> None:
    clock = FakeClock()
    with pytest.raises(TooLongToWait) as raised:
        drive(counting({}), {"add": lambda given: given}, clock, patience=59 * MINUTE)

    assert raised.value.duration == HOUR
    assert clock.sleeps == []
    assert drive(counting({}), {"add": lambda given: given}, clock, patience=HOUR)


def test_every_activity_that_a_process_names_exists() -> None:
    assert set(App().engine.activities) == set(ACTIVITIES)
    assert set(PROCESSES) == {"sweep", "apply", "undo", "wave"}


def commands(process: Generator[Command, Document, Document], answers: dict[str, Document]) -> list[str]:
    """What a process asks for, in order; each activity always answers the same."""
    asked: list[str] = []
    try:
        command = next(process)
        while len(asked) < 50:
            match command:
                case Activity(name=name):
                    asked.append(name)
                    command = process.send(answers.get(name, {}))
                case Sleep(duration=duration):
                    asked.append(f"sleep {int(duration.total_seconds())}")
                    command = process.send({})
                case Child(process=name, id=id_):
                    asked.append(f"{name} {id_}")
                    command = process.send({})
    except StopIteration:
        pass
    return asked


def test_a_dry_run_is_surveyed_and_closed() -> None:
    assert commands(sweep({"run": "r"}), {"survey": {"waves": [], "attempt": "r"}}) == [
        "survey",
        "next_look",
        "close",
    ]


def test_each_wave_is_a_process_of_its_own_under_a_name_of_its_own() -> None:
    """So no history grows with the number of findings, and a repeat finds the one that runs."""
    survey: Document = {"waves": [["a"], ["b", "c"]], "attempt": "r"}

    assert commands(sweep({"run": "r"}), {"survey": survey})[1:3] == ["wave r-wave-0", "wave r-wave-1"]


def test_after_a_failed_step_every_later_one_is_told_so() -> None:
    """It is the activity that knows which of them put something back."""
    process = PROCESSES["wave"]({"run": "r", "attempt": "a", "findings": ["k"]})
    assert isinstance(next(process), Activity)
    told = []
    command = process.send({"treatments": [{"finding": "k", "steps": 3}]})
    while isinstance(command, Activity) and command.name == "step":
        told.append((command.input["index"], command.input["afterFailure"]))
        command = process.send({"failed": True} if command.input["index"] == 0 else {})

    assert told == [(0, False), (1, True), (2, True)]
    assert isinstance(command, Activity)
    assert command.name == "settle"


def test_a_step_that_waits_is_asked_again_with_what_it_remembered() -> None:
    process = PROCESSES["wave"]({"run": "r", "attempt": "a", "findings": ["k"]})
    next(process)
    process.send({"treatments": [{"finding": "k", "steps": 1}]})

    command = process.send({"wait": 30, "token": {"n": 1}})
    assert command == Sleep(duration=timedelta(seconds=30))
    command = process.send({})
    assert isinstance(command, Activity)
    assert (command.name, command.input["token"]) == ("step", {"n": 1})
