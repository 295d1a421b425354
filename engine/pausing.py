"""The kill switch: what is paused, by whom and why, and what was set aside because of it.

All of it is entries of the ledger, read anew whenever something asks whether it may write: there is no cache that a
pause would have to outlive. What was set aside is a matter of its own run; the app's own record says where to look.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.compare import target_of
from engine.journal import Case, Journal, Line, ending
from engine.ports import RESERVED, Entry
from engine.wire import UnreadableRecord
from model.documents import Document, text_at
from model.plans import Plan
from model.states import FailureState, Outcome
from model.times import format_time

CONTROL: Final = f"{RESERVED}control"
"""The app's own record."""
_RECENT: Final = 50
"""Runs that are looked through for what is in flight: more have never been at work at once."""
_AT_WORK: Final = frozenset({"treatment", "step", "set-aside"})
_OVER: Final = frozenset({"applied", "outcome"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """No step starts: in the whole app, or for one failure state."""

    state: str
    """A failure state's id, empty for the whole app. Text, because one that this version does not know still holds."""
    by: str
    reason: str
    since: datetime

    def __str__(self) -> str:
        what = f"{self.state} is paused" if self.state else "the app is paused"
        who = f" by {self.by}" if self.by else ""
        return f"{what} since {format_time(self.since)}{who}: {self.reason or 'no reason was given'}"

    @property
    def document(self) -> Document:
        return {"state": self.state or None, "by": self.by, "reason": self.reason, "since": format_time(self.since)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A treatment that was begun or set aside, and has not ended."""

    run: str
    finding: str
    name: str
    """What a person calls the finding's target."""
    queued: bool
    """True where it was set aside and waits for a person; else it is in flight."""
    done: int
    """Steps that are done."""
    steps: int
    since: datetime
    """When it was last heard of."""
    owed: tuple[str, ...] = ()
    """Resource ids of what it took something away from and has not put it back: a machine is unpatched until then."""

    @property
    def document(self) -> Document:
        return {
            "owed": [*self.owed],
            "run": self.run,
            "finding": self.finding,
            "targetName": self.name,
            "stepsDone": self.done,
            "steps": self.steps,
            "since": format_time(self.since),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """Stops and frees writes, and keeps what was queued."""

    journal: Journal

    # The switch

    def pauses(self) -> tuple[Pause, ...]:
        """What is paused now: the app first, then states."""
        found: dict[str, Pause] = {}
        for entry in self.journal.ledger.entries(CONTROL, kinds=frozenset({"pause", "resume"})):
            state = text_at(entry.body, "state")
            if entry.kind == "resume":
                found.pop(state, None)
                continue
            by, reason = text_at(entry.body, "by"), text_at(entry.body, "reason")
            # Whoever pauses what is paused already changes nothing.
            found.setdefault(state, Pause(state=state, by=by, reason=reason, since=entry.at))
        return tuple(sorted(found.values(), key=lambda pause: pause.state))

    def stops(self, state: FailureState | None) -> Pause | None:
        """The pause that forbids to write for a state; of the whole app where none is named."""
        return next((pause for pause in self.pauses() if pause.state in {"", state.value if state else ""}), None)

    def pause(self, state: FailureState | None, *, by: str, reason: str) -> Pause:
        """From now on no step starts. Answers the pause that holds, which may be an earlier one."""
        self._write("pause", state, by, reason)
        wanted = state.value if state else ""
        return next(pause for pause in self.pauses() if pause.state == wanted)

    def resume(self, state: FailureState | None, *, by: str, reason: str) -> Pause | None:
        """Lift one pause, of the app or of a state; None where there was none. Nothing that was queued starts."""
        wanted = state.value if state else ""
        lifted = next((pause for pause in self.pauses() if pause.state == wanted), None)
        if lifted is not None:
            self._write("resume", state, by, reason)
        return lifted

    # What it leaves waiting

    def set_aside(self, run: str, attempt: str, plan: Plan, why: str) -> None:
        """Keep a treatment for a person to go on with; what was done of it stays done."""
        key = plan.finding.key
        # Where to look is written first: a crash in between leaves a place where nothing is, never a forgotten one.
        self.journal.record(CONTROL, Line(f"queued:{run}", "queued", {"run": run}))
        self.journal.record(
            run,
            ending(attempt, plan, Outcome.HELD, f"{why}; it is queued until a person goes on with it"),
            Line(f"set-aside:{attempt}:{key}", "set-aside", {"finding": key, "reason": why}, key),
        )

    def set_aside_paused(self, run: str, attempt: str, plans: Iterable[Plan]) -> list[str]:
        """Set aside those of `plans` that are paused; answers their findings."""
        paused = [(plan, pause) for plan in plans if (pause := self.stops(plan.finding.state))]
        for plan, pause in paused:
            self.set_aside(run, attempt, plan, str(pause))
        return [plan.finding.key for plan, _ in paused]

    def queued(self) -> tuple[Work, ...]:
        """Every treatment that was set aside and not gone on with, oldest run first."""
        runs = sorted(
            {text_at(e.body, "run") for e in self.journal.ledger.entries(CONTROL, kinds=frozenset({"queued"}))}
        )
        return tuple(work for run in runs for work in self.queued_in(run))

    def queued_in(self, run: str) -> tuple[Work, ...]:
        return tuple(work for work in self.at_work(run) if work.queued)

    def in_flight(self) -> tuple[Work, ...]:
        """Treatments with a step begun, or about to be, in the newest runs that are not over."""
        ledger, found = self.journal.ledger, list[Work]()
        for run in ledger.runs(_RECENT):
            statuses = ledger.entries(run, kinds=frozenset({"status"}))
            if statuses and statuses[-1].body.get("status") in {"running", "waiting"}:
                found += [work for work in self.at_work(run) if not work.queued]
        return tuple(found)

    def at_work(self, run: str) -> Iterator[Work]:
        """What is neither ended nor only planned, in the order in which it was begun."""
        kinds = frozenset({*_AT_WORK, *_OVER})
        for key, entry in under_way(self.journal.ledger.entries(run, kinds=kinds)).items():
            yield self._work(run, key, entry)

    def _work(self, run: str, key: str, entry: Entry) -> Work:
        queued = entry.kind == "set-aside"
        try:
            case = self.journal.case(run, key, "")
        except UnreadableRecord as error:
            # Whoever pulls the brake is told all that is known, also of a record that somebody has damaged.
            name = f"{key} ({error})"
            return Work(run=run, finding=key, name=name, queued=queued, done=0, steps=0, since=entry.at)
        steps = range(len(case.plan.steps))
        return Work(
            run=run,
            finding=key,
            name=case.plan.finding.name,
            queued=queued,
            done=sum(1 for index in steps if f"{case.entry(index)}:done" in case.recorded),
            steps=len(steps),
            since=entry.at,
            owed=_owed(case),
        )

    def _write(self, kind: str, state: FailureState | None, by: str, reason: str) -> None:
        body: Document = {"state": state.value if state else "", "by": by, "reason": reason}
        self.journal.record(CONTROL, Line(f"{kind}:{uuid.uuid4().hex}", kind, body))


def _owed(case: Case) -> tuple[str, ...]:
    steps = enumerate(case.plan.steps)
    open_ones = (
        step for index, step in steps if case.puts_back(index) and f"{case.entry(index)}:done" not in case.recorded
    )
    return tuple(dict.fromkeys(target_of(step) for step in open_ones))


def under_way(entries: Iterable[Entry]) -> dict[str, Entry]:
    """By the key of each finding whose treatment was begun or set aside and has not ended: its last line."""
    last: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind in _OVER:
            # One that is set aside is `held`, which is written with it and before it.
            last.pop(entry.about, None)
        elif entry.kind in _AT_WORK:
            last[entry.about] = entry
    return last
