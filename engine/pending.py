"""What a run waits for, the clock or a person, and how it ends."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from engine.approvals import LISTENING, Approval, Approvals, Decision, NotAnswerable
from engine.journal import Journal, Line, attempt_of
from engine.locks import Locks
from engine.pausing import KillSwitch, Work
from model.documents import Document, text_at
from model.states import FailureState
from model.times import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Runs between one activity and the next, and after the last."""

    journal: Journal
    approvals: Approvals
    switch: KillSwitch
    locks: Locks

    # The clock

    def next_look(self, document: Document) -> Document:
        """How long until something is due: a verification, or, where `answers`, the end of a question to a person.

        No `wait` where nothing is; `listen` where an answer may come before that.
        """
        run, now = text_at(document, "run"), self.journal.clock.now()
        dues = [due for _, due in self.journal.open_verifications(run)]
        waiting, answers = self.approvals.waiting_in(run), document.get("answers") is True
        if not answers and waiting and dues and min(dues) >= min(one.expires for one in waiting):
            # Whoever cannot be told of an answer does not sleep over the time for it either.
            return {}
        waiting = waiting if answers else ()
        if not dues and not waiting:
            return {}
        # What was approved is due.
        due = min([*dues, *(now if one.answer else one.expires for one in waiting)])
        body: Document = {"status": "waiting", "until": format_time(due)}
        self.journal.record(run, Line(f"status:waiting:{attempt_of(document)}:{format_time(due)}", "status", body))
        wait = due - now if not waiting else min(due - now, LISTENING)
        return {"wait": max(0.0, wait.total_seconds()), "listen": bool(waiting)}

    # People

    def answer(self, id_: str, decision: Decision, *, by: str, reason: str, plan_hash: str | None = None) -> Approval:
        """A person's yes or no to a treatment that waits.

        Raises:
            UnknownApproval, NotAnswerable: as `Approvals.answer`; and where what is approved could not be applied now.
        """
        approval = self.approvals.find(id_)
        states = [state for state in FailureState if state.value == approval.finding.partition(":")[0]]
        if decision is Decision.APPROVE and approval.answer is None and (why := self.locks.may_apply(states)):
            raise NotAnswerable(why)
        try:
            return self.approvals.answer(id_, decision, by=by, reason=reason, plan_hash=plan_hash)
        finally:
            self._close_again(approval.run)

    def questions(self) -> tuple[Approval, ...]:
        """Every treatment that waits for a person's answer."""
        before = {one.run for one in self.approvals.unanswered()}
        waiting = self.approvals.waiting()
        for run in sorted(before - {one.run for one in waiting}):
            self._close_again(run)
        return waiting

    def free_to_go_on(self) -> tuple[Work, ...]:
        """What was set aside and could go on, were a person to say so."""
        free = {state.value: self.locks.may_write(state) is None for state in FailureState}
        return tuple(work for work in self.switch.queued() if free.get(work.finding.partition(":")[0]))

    # The end

    def close(self, document: Document) -> Document:
        """Completed, whatever came of its findings; or `waiting`, where it can go on only when a person says so."""
        run = text_at(document, "run")
        if people := self._people(run):
            body: Document = {"status": "waiting", "for": people}
            self.journal.record(run, Line(f"status:closed:{uuid.uuid4().hex[:8]}", "status", body))
            return {"run": run, **body}
        self.journal.record(run, Line(f"status:closed:{uuid.uuid4().hex[:8]}", "status", {"status": "completed"}))
        return {"run": run, "status": "completed"}

    def fail(self, run: str, reason: str) -> None:
        """The process itself broke; what was done until then is in the record."""
        self.journal.record(
            run, Line(f"status:failed:{uuid.uuid4().hex[:8]}", "status", {"status": "failed", "error": reason})
        )

    def reopen(self, run: str) -> None:
        """A process that could not be started is started after all."""
        self.journal.record(run, Line(f"status:again:{uuid.uuid4().hex[:8]}", "status", {"status": "running"}))

    def _close_again(self, run: str) -> None:
        """A run without a process that waited for people: over, where they have said everything."""
        statuses = self.journal.ledger.entries(run, kinds=frozenset({"status"}))
        waited = text_at(statuses[-1].body, "for") if statuses else ""
        if not waited or self._people(run) == waited:
            return
        if dues := [due for _, due in self.journal.open_verifications(run)]:
            # Nobody sleeps until then; whoever takes the run up verifies what is due.
            body: Document = {"status": "waiting", "until": format_time(min(dues))}
            self.journal.record(run, Line(f"status:waiting:{uuid.uuid4().hex[:8]}", "status", body))
        else:
            self.close({"run": run})

    def _people(self, run: str) -> str:
        """What a run without a process waits for; empty where it is over."""
        if self.approvals.waiting_in(run):
            return "approval"
        return "resume" if self.switch.queued_in(run) else ""
