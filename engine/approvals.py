"""Treatments that wait for a person's yes: asked once, for one plan, until a time; answered once.

The ledger is the truth. An answer is an entry whose id leaves room for one only, so that of two people, or of a person
and the end of the time, the first has said it. Whatever waits for the answer is woken, and reads it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Final

from engine.journal import Journal, Line, ending
from engine.ports import Entry
from engine.wire import document_hash, from_json, to_json
from model.documents import Document, text_at
from model.plans import Treatment
from model.states import Outcome
from model.times import format_time, parse_time

APPROVAL: Final = "approval"
"""What holds a plan that waits for a person, as guardrails have names."""
LISTENING: Final = timedelta(minutes=30)
"""The longest wait for an answer before the ledger is looked at again: what was to wake may be lost on its way."""
_LONGEST: Final = timedelta(days=8)
"""A day longer than any question stands, so that its end is written down."""
_RUNS: Final = 500
"""Runs that are looked through for what waits."""
_ENDING: Final = "answer"
"""The attempt in whose name an approval ends that is not followed by one."""
_SHORT: Final = 12
"""Digits of the plan's hash in an approval's id."""


class Decision(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    """Nobody said anything in time."""


class UnknownApproval(Exception):
    """No run asks for an approval of this id."""


class NotAnswerable(Exception):
    """The approval cannot be answered, or not so; the message says why. Nothing was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    decision: Decision
    by: str
    reason: str
    at: datetime

    def __str__(self) -> str:
        said = {Decision.APPROVE: "approved", Decision.REJECT: "rejected", Decision.EXPIRE: "expired"}[self.decision]
        return f"{said}{f' by {self.by}' if self.by else ''}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One question to a person: may this plan be applied?"""

    id: str
    run: str
    finding: str
    name: str
    """What a person calls the finding's target."""
    plan: str
    """The plan's id, as the run document has it."""
    plan_hash: str
    """Of the plan that was asked about: the answer is for no other."""
    asked: datetime
    expires: datetime
    answer: Answer | None = None
    taken: str = ""
    """Who goes on with it, once it is approved."""
    ended: bool = False
    """Its end without being applied is written down."""

    @property
    def document(self) -> Document:
        answer = self.answer
        status = {Decision.APPROVE: "approved", Decision.REJECT: "rejected", Decision.EXPIRE: "expired"}
        return {
            "id": self.id,
            "run": self.run,
            "finding": self.finding,
            "targetName": self.name,
            "plan": self.plan,
            "planHash": self.plan_hash,
            "asked": format_time(self.asked),
            "expires": format_time(self.expires),
            "status": status[answer.decision] if answer else "waiting",
            "by": answer.by if answer else None,
            "reason": answer.reason if answer else None,
            "answered": format_time(answer.at) if answer else None,
        }


def question(run: str, treatment: Treatment, now: datetime, expiry: timedelta) -> Line:
    """The line that asks about a plan."""
    plan, key = treatment.plan, treatment.plan.finding.key
    of_plan = document_hash(to_json(treatment)["plan"])
    body: Document = {
        "id": f"{run}.{of_plan[:_SHORT]}",
        "name": plan.finding.name,
        "plan": treatment.id,
        "planHash": of_plan,
        "expires": format_time(now + expiry),
    }
    return Line(f"approval:{key}", "approval", body, key)


def approvals_in(run: str, entries: tuple[Entry, ...]) -> tuple[Approval, ...]:
    """The questions among a run's entries, each with its answer where there is one."""
    answers = {entry.about: entry for entry in entries if entry.kind == "answer"}
    taken = {entry.about: text_at(entry.body, "by") for entry in entries if entry.kind == "taken"}
    ended = {entry.about for entry in entries if entry.id == f"outcome:{_ENDING}:{entry.about}"}
    return tuple(
        Approval(
            id=text_at(entry.body, "id"),
            run=run,
            finding=entry.about,
            name=text_at(entry.body, "name"),
            plan=text_at(entry.body, "plan"),
            plan_hash=text_at(entry.body, "planHash"),
            asked=entry.at,
            # A time that cannot be read has passed.
            expires=parse_time(entry.body.get("expires")) or entry.at,
            answer=_answer(answers.get(entry.about)),
            taken=taken.get(entry.about, ""),
            ended=entry.about in ended,
        )
        for entry in entries
        if entry.kind == "approval"
    )


def _answer(entry: Entry | None) -> Answer | None:
    if entry is None:
        return None
    given = text_at(entry.body, "decision")
    # An answer of a newer version that is none of ours is no yes.
    decision = Decision(given) if given in set(Decision) else Decision.REJECT
    return Answer(decision=decision, by=text_at(entry.body, "by"), reason=text_at(entry.body, "reason"), at=entry.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """What waits for a person, in the ledger."""

    journal: Journal

    def of_run(self, run: str) -> tuple[Approval, ...]:
        kinds = frozenset({"approval", "answer", "taken", "outcome"})
        return approvals_in(run, self.journal.ledger.entries(run, kinds=kinds))

    def waiting_in(self, run: str) -> tuple[Approval, ...]:
        """Not answered, or approved and not gone on with yet."""
        return tuple(
            one
            for one in self.of_run(run)
            if not one.ended and (one.answer is None or (one.answer.decision is Decision.APPROVE and not one.taken))
        )

    def waiting(self) -> tuple[Approval, ...]:
        """Every question without an answer, oldest first. What nobody answered in time is ended on the way."""
        for run in sorted({one.run for one in self.unanswered()}):
            self.conclude(run)
        return self.unanswered()

    def unanswered(self) -> tuple[Approval, ...]:
        """As `waiting`, with those whose time is over and for whom nobody has written that down yet."""
        # Ids sort by time: nothing of before this is waited for any more.
        oldest = f"{self.journal.clock.now() - _LONGEST:%Y%m%dT%H%M%S}"
        runs = takewhile(lambda run: run >= oldest, self.journal.ledger.runs(_RUNS))
        found = [one for run in runs for one in self.of_run(run) if one.answer is None]
        return tuple(sorted(found, key=lambda one: (one.asked, one.id)))

    def find(self, id_: str) -> Approval:
        """Raises `UnknownApproval`."""
        run = id_.rpartition(".")[0]
        # A run's id is short; what is longer was never one of ours.
        for approval in self.of_run(run) if 0 < len(run) <= 100 else ():
            if approval.id == id_:
                return approval
        raise UnknownApproval(f"no treatment waits for an approval {id_[:120]!r}")

    def answer(self, id_: str, decision: Decision, *, by: str, reason: str, plan_hash: str | None = None) -> Approval:
        """Say yes or no, once. `plan_hash` is what the caller means to answer about, where it says so.

        Raises:
            UnknownApproval, NotAnswerable
        """
        approval = self.find(id_)
        self.conclude(approval.run)
        approval = self.find(id_)
        if plan_hash is not None and plan_hash != approval.plan_hash:
            raise NotAnswerable("the approval is for another plan: its hash is not the one that was asked about")
        if approval.answer is None:
            if not self._still_planned(approval):
                raise NotAnswerable("the saved plan is not the one that was asked about any more")
            if self._answered(approval, {"decision": decision.value, "by": by, "reason": reason}):
                self.conclude(approval.run)
                return self.find(id_)
            approval = self.find(id_)
        raise NotAnswerable(f"it was answered already: {approval.answer}")

    def take_up(self, run: str, by: str) -> tuple[str, ...]:
        """The findings that were approved and that `by` goes on with: the same ones however often it asks."""
        self.conclude(run)
        for approval in self.of_run(run):
            if approval.answer and approval.answer.decision is Decision.APPROVE and not approval.ended:
                self._take(approval, by)
        return tuple(one.finding for one in self.of_run(run) if one.taken == by)

    def overtaken(self, run: str, attempt: str, by: str, named: frozenset[str]) -> frozenset[str]:
        """A person applies `named` findings of a run by hand: that is a yes. Answers what is not to be applied.

        Left out is what somebody rejected, and what waits without being named: to take a run up again approves nothing.
        """
        self.conclude(run)
        for approval in self.of_run(run):
            if approval.finding in named and approval.answer is None:
                body: Document = {"decision": Decision.APPROVE.value, "by": by, "reason": "applied by hand"}
                self._answered(approval, body)
        left_out: set[str] = set()
        for approval in self.of_run(run):
            decision = approval.answer.decision if approval.answer else None
            if decision is Decision.APPROVE and not approval.ended:
                self._take(approval, attempt)
            elif decision is not Decision.EXPIRE or approval.finding not in named:
                left_out.add(approval.finding)
        return frozenset(left_out)

    def conclude(self, run: str) -> None:
        """Write down how those ended that were rejected, that nobody answered, or whose plan is another now."""
        now = self.journal.clock.now()
        for overdue in (one for one in self.of_run(run) if one.answer is None and one.expires <= now):
            self._answered(overdue, {"decision": Decision.EXPIRE.value, "by": "", "reason": "nobody answered in time"})
        for approval in self.of_run(run):
            if approval.answer and not approval.taken and not approval.ended:
                self.journal.record(run, *self._ending(approval, approval.answer))

    def _answered(self, approval: Approval, body: Document) -> bool:
        """False where somebody was quicker."""
        line = Line(f"answer:{approval.finding}", "answer", {**body, "id": approval.id}, approval.finding)
        return self.journal.record(approval.run, line)[0]

    def _take(self, approval: Approval, by: str) -> None:
        self.journal.record(approval.run, Line(f"taken:{approval.finding}", "taken", {"by": by}, approval.finding))

    def _ending(self, approval: Approval, answer: Answer) -> Iterator[Line]:
        """The outcome of one that ended without being applied; its id leaves room for one."""
        entries = self.journal.ledger.entries(approval.run, about=approval.finding, kinds=frozenset({"plan"}))
        for plan in (from_json(Treatment, entry.body).plan for entry in entries):
            match answer.decision:
                case Decision.EXPIRE:
                    yield ending(
                        _ENDING,
                        plan,
                        Outcome.HELD,
                        f"approval: nobody answered until {approval.expires:%d %b %H:%M} UTC",
                    )
                case Decision.REJECT:
                    yield ending(_ENDING, plan, Outcome.REFUSED, f"approval: {answer}")
                case Decision.APPROVE if not self._still_planned(approval):
                    yield ending(
                        _ENDING, plan, Outcome.REFUSED, "approval: the saved plan is not the one that was approved"
                    )
                case Decision.APPROVE:
                    return

    def _still_planned(self, approval: Approval) -> bool:
        """The plan that is saved, read as it is stored, is the one that was asked about."""
        entries = self.journal.ledger.entries(approval.run, about=approval.finding, kinds=frozenset({"plan"}))
        return [document_hash(entry.body.get("plan")) for entry in entries] == [approval.plan_hash]
