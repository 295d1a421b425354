"""The process, written once: a generator that Durable Functions drives in Azure and an inline driver elsewhere.

A generator here is deterministic: it sends no request and reads no clock. What happens, happens in activities (the
table in `engine.engine.Engine`), whose answers are recorded; a wait is a durable timer. So a process survives a restart
between any two steps, and lasts as long as it has to, whatever the time-out of a function.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from model.documents import Document, Json, list_at, text_at

ANSWERED: Final = "answered"
"""The event that wakes a run in which something waits for a person's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Call an activity by name; its answer is sent back into the generator."""

    name: str
    input: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Wait; hours and days are ordinary."""

    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """Run another process to its end, with a history of its own."""

    process: str
    id: str
    input: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Wait for an event, at most for as long. Answers `deaf` where nobody could be heard."""

    event: str
    duration: timedelta


type Command = Activity | Sleep | Listen | Child
type Process = Generator[Command, Document, Document]


def sweep(request: Document) -> Process:
    """Read, detect, plan, judge, record; then, where the request is not a dry run, treat what is allowed.

    `request` is what `engine.requests.SweepRequest.document` gives.
    """
    survey = yield Activity(name="survey", input=request)
    while survey.get("wait") is not None:
        # Machines under suspicion are being looked into; the survey goes on with what they say.
        yield Sleep(duration=_seconds(survey["wait"]))
        survey = yield Activity(name="survey", input=request)
    return (yield from _treat_waves(text_at(request, "run"), survey))


def apply(request: Document) -> Process:
    """Apply the saved plan of a run: `{"run", "attempt", "findings"?, "by"}`, `attempt` a name of its own."""
    opened = yield Activity(name="open_apply", input=request)
    return (yield from _treat_waves(text_at(request, "run"), opened))


def undo(request: Document) -> Process:
    """Put back what another run changed; `request` is what `engine.undoing.UndoRequest.document` gives."""
    opened = yield Activity(name="open_undo", input=request)
    return (yield from _treat_waves(text_at(request, "run"), opened))


def _treat_waves(run: str, opened: Document) -> Process:
    attempt = text_at(opened, "attempt")
    common: Document = {"run": run, "attempt": attempt}
    yield from _waves(common, opened, attempt, by_person=opened.get("byPerson") is True)
    listening, answers = True, 0
    while True:
        due = yield Activity(name="next_look", input={**common, "answers": listening})
        if due.get("wait") is None:
            break
        if due.get("listen") is True:
            heard = yield Listen(event=ANSWERED, duration=_seconds(due["wait"]))
            if heard.get("deaf") is True:
                listening = False
                continue
            # The event only wakes: what was answered stands in the ledger, and so does who goes on with it.
            answers += 1
            name = f"{attempt}-answer-{answers}"
            answered = yield Activity(name="take_up", input={**common, "by": name})
            yield from _waves(common, answered, name, by_person=True)
        else:
            yield Sleep(duration=_seconds(due["wait"]))
        verified = yield Activity(name="verify", input=common)
        while verified.get("wait") is not None:
            # Repaired machines are being looked into once more.
            yield Sleep(duration=_seconds(verified["wait"]))
            verified = yield Activity(name="verify", input=common)
    return (yield Activity(name="close", input={"run": run}))


def _waves(common: Document, opened: Document, name: str, *, by_person: bool) -> Process:
    for number, wave in enumerate(list_at(opened, "waves")):
        # A wave is a process of its own, so that no history grows with the number of findings.
        child: Document = {**common, "findings": wave, "byPerson": by_person}
        yield Child(process="wave", id=f"{name}-wave-{number}", input=child)
    return common


def wave(request: Document) -> Process:
    """Look again at a handful of findings, and treat those whose plan still holds, one after the other."""
    common: Document = {"run": text_at(request, "run"), "attempt": text_at(request, "attempt")}
    looked = yield Activity(name="second_look", input=request)
    for treatment in list_at(looked, "treatments"):
        if isinstance(treatment, dict):
            yield from _treat({**common, "finding": treatment["finding"]}, treatment)
    return common


def _treat(common: Document, treatment: Document) -> Process:
    """Every step in turn; after a failure only those that put back what an earlier step took away."""
    steps = treatment["steps"]
    failed = False
    for index in range(steps if isinstance(steps, int) else 0):
        call: Document = {**common, "index": index, "afterFailure": failed}
        answer = yield Activity(name="step", input=call)
        while answer.get("wait") is not None:
            yield Sleep(duration=_seconds(answer["wait"]))
            answer = yield Activity(name="step", input={**call, "token": answer.get("token")})
        if answer.get("setAside") is True:
            # Whatever is left of it waits for a person, also what puts something back.
            return answer
        failed = failed or answer.get("failed") is True
    return (yield Activity(name="settle", input=common))


def _seconds(value: Json) -> timedelta:
    return timedelta(seconds=value if isinstance(value, int | float) else 60)


PROCESSES: Final[Mapping[str, Callable[[Document], Process]]] = {
    "sweep": sweep,
    "apply": apply,
    "undo": undo,
    "wave": wave,
}
ACTIVITIES: Final = (
    "survey",
    "open_apply",
    "open_undo",
    "second_look",
    "step",
    "settle",
    "next_look",
    "take_up",
    "verify",
    "close",
)
