"""What a run writes down and reads back: every line of the ledger is written here, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from engine.compare import target_of
from engine.ports import Clock, Entry, Ledger
from engine.wire import from_json
from model.documents import Document, text_at
from model.plans import Allow, Declined, Hold, Plan, PutDeployment, PutSavedSearch, Refuse, Treatment
from model.states import Outcome
from model.times import parse_time

log = logging.getLogger("patchwright")

_ENDS: Final = frozenset({Outcome.REMEDIATED, Outcome.INEFFECTIVE, Outcome.FAILED, Outcome.STALE})
"""Outcomes after which no step of a try is left to do."""
_JUDGED: Final = frozenset({Outcome.REMEDIATED, Outcome.INEFFECTIVE, Outcome.UNDONE})
"""Outcomes after which nobody looks any more whether a treatment has helped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One try at one finding of a run."""

    run: str
    key: str
    number: int
    plan: Plan
    recorded: Mapping[str, Entry]
    """The lines about its steps, of this and earlier tries."""

    def entry(self, index: int) -> str:
        """What the ledger's lines about a step begin with."""
        return f"step:{self.key}:{self.number}:{index}"

    @property
    def begun(self) -> bool:
        """True where a step of this try has been begun."""
        return any(id_.startswith(f"step:{self.key}:{self.number}:") for id_ in self.recorded)

    def puts_back(self, index: int) -> bool:
        """True for a step that puts back what an earlier step of this try took away."""
        step = self.plan.steps[index]
        if not isinstance(step, PutDeployment | PutSavedSearch) or not step.restores:
            return False
        earlier = [i for i in range(index) if target_of(self.plan.steps[i]) == target_of(step)]
        # Begun counts: a write whose answer was lost may have happened, and putting back what is there is harmless.
        return any(f"{self.entry(i)}:{seen}" in self.recorded for i in earlier for seen in ("began", "done"))


class Line(NamedTuple):
    """A line for the ledger, before it has its run and its time."""

    id: str
    kind: str
    body: Document
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The ledger in the words of the process."""

    ledger: Ledger
    clock: Clock

    def saved(self, run: str) -> dict[str, Treatment]:
        """The plans of a run, by the key of their finding."""
        return {e.about: from_json(Treatment, e.body) for e in self.ledger.entries(run, kinds=frozenset({"plan"}))}

    def plan(self, run: str, key: str) -> Plan:
        """The plan of one finding: of many, reading all for the sake of one is what takes the time."""
        (entry,) = self.ledger.entries(run, about=key, kinds=frozenset({"plan"}))
        return from_json(Treatment, entry.body).plan

    def case(self, run: str, key: str, attempt: str) -> Case:
        """The present try at a finding, from its own lines of the ledger."""
        entries = self.ledger.entries(run, about=key)
        plan = next(from_json(Treatment, entry.body).plan for entry in entries if entry.kind == "plan")
        # Earlier attempts that failed: each try has steps of its own, and names for them.
        failed = [
            entry
            for entry in entries
            if entry.kind == "outcome"
            and entry.body.get("outcome") == Outcome.FAILED
            and entry.id != f"outcome:{attempt}:{key}"
        ]
        recorded = {entry.id: entry for entry in entries if entry.kind == "step"}
        return Case(run=run, key=key, number=len(failed), plan=plan, recorded=recorded)

    def under_way(self, run: str) -> frozenset[str]:
        """Findings whose steps were begun and whose end nobody wrote down: a process died, or another is at it now."""
        begun: set[str] = set()
        for entry in self.ledger.entries(run, kinds=frozenset({"step", "applied", "outcome"})):
            if entry.kind == "step":
                begun.add(entry.about)
            elif entry.kind == "applied" or entry.body.get("outcome") in _ENDS:
                begun.discard(entry.about)
        return frozenset(begun)

    def record(self, run: str, *lines: Line) -> tuple[bool, ...]:
        """Append lines; False for each whose id is there already, which stays as it was."""
        now = self.clock.now()
        return self.ledger.append([Entry(run=run, at=now, **line._asdict()) for line in lines])

    def step_record(
        self, case: Case, index: int, event: str, body: Document, wrote: tuple[str, Document] | None = None
    ) -> None:
        """What happened to a step, and in the same breath what it wrote: `wrote` is where, and the body."""
        id_ = f"{case.entry(index)}:{event}"
        full: Document = {"finding": case.key, "try": case.number, "index": index, "event": event, **body}
        also = [Line(f"wrote:{id_}", "wrote", wrote[1], wrote[0])] if wrote else []
        self.record(case.run, Line(id_, "step", full, case.key), *also)

    def conclude(self, run: str, attempt: str, about: Plan | Declined, outcome: Outcome, reason: str) -> None:
        """How a finding ended in this attempt; a later attempt has a line of its own."""
        self.record(run, ending(attempt, about, outcome, reason))

    def held(self, run: str, attempt: str, plan: Plan, verdict: Hold | Refuse) -> None:
        """A plan that a guardrail objects to."""
        self.record(run, objection(attempt, plan, verdict))

    def open_verifications(self, run: str) -> list[tuple[str, datetime]]:
        """Findings whose fix was applied and not yet judged, with the time of the next look."""
        entries = self.ledger.entries(run, kinds=frozenset({"applied", "relook", "outcome"}))
        judged = {e.about for e in entries if e.kind == "outcome" and e.body.get("outcome") in _JUDGED}
        dues: dict[str, datetime] = {}
        for entry in entries:
            if entry.kind in {"applied", "relook"} and (due := parse_time(entry.body.get("due"))):
                dues[entry.about] = due
        return [(key, due) for key, due in dues.items() if key not in judged]

    def header(self, run: str) -> Document | None:
        """What a run was asked to do; None for a run of which the ledger knows nothing."""
        found = self.ledger.entries(run, kinds=frozenset({"run"}))
        return found[0].body if found else None

    def undoes(self, run: str) -> str:
        """The run that this one undoes; empty for one that undoes none."""
        return text_at(self.header(run) or {}, "undoes")

    def status(self, run: str) -> str:
        """How a run stands, in its own last word."""
        found = self.ledger.entries(run, kinds=frozenset({"status"}))
        return text_at(found[-1].body, "status") if found else "running"

    def steps(self, run: str) -> tuple[Entry, ...]:
        """The lines about the steps of a run, in the order in which they were written."""
        return self.ledger.entries(run, kinds=frozenset({"step"}))

    def undos(self, run: str) -> list[str]:
        """The runs that undo this one, or only planned to."""
        return [text_at(entry.body, "run") for entry in self.ledger.entries(run, kinds=frozenset({"undo"}))]

    def undone(self, run: str) -> dict[str, str]:
        """By the key of each finding whose treatment was undone: the run that has undone it."""
        last = {entry.about: entry.body for entry in self.ledger.entries(run, kinds=frozenset({"outcome"}))}
        return {key: text_at(body, "by") for key, body in last.items() if body.get("outcome") == Outcome.UNDONE}

    def ours(self, run: str, resource: str | None = None) -> dict[str, Document]:
        """What this run itself last wrote, by lower-case resource id; the later lines overtake the earlier."""
        wrote = self.ledger.entries(run, about=resource, kinds=frozenset({"wrote"}))
        return {entry.about: entry.body for entry in wrote}


def attempt_of(document: Document) -> str:
    """In whose name an activity works: a sweep's first attempt is called like its run."""
    return text_at(document, "attempt") or text_at(document, "run")


def ending(attempt: str, about: Plan | Declined, outcome: Outcome, reason: str) -> Line:
    """The line that says how a finding ended; a survey writes hundreds of them at once."""
    key = about.finding.key
    log.info("outcome", extra={"finding": key, "outcome": outcome.value, "reason": reason})
    body: Document = {
        "finding": key,
        "remediation": about.remediation,
        "outcome": outcome.value,
        "reason": reason,
    }
    return Line(f"outcome:{attempt}:{key}", "outcome", body, key)


def objection(attempt: str, plan: Plan, verdict: Hold | Refuse) -> Line:
    """The line for a plan that a guardrail objects to."""
    outcome = Outcome.HELD if isinstance(verdict, Hold) else Outcome.REFUSED
    return ending(attempt, plan, outcome, f"{verdict.guardrail}: {verdict.reason}")


def observation(run: str, treatment: Treatment) -> Line:
    """The line for a plan that a dry run shows."""
    why = "a dry run; the plan is saved"
    if not isinstance(treatment.verdict, Allow):
        why += f", and {treatment.verdict.guardrail} would object: {treatment.verdict.reason}"
    return ending(run, treatment.plan, Outcome.OBSERVED, why)
