"""Treating one finding: its steps through the writer's door, each recorded, and then the time to settle."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine import settling
from engine.admission import Admission, looked_at
from engine.compare import short, target_of
from engine.correlation import correlated
from engine.counting import Counting
from engine.journal import Case, Journal, Line, attempt_of
from engine.leases import Leases, clock_went_back
from engine.locks import Locks
from engine.pausing import KillSwitch
from engine.ports import (
    AzureUnavailable,
    Estate,
    NotFound,
    PermissionMissing,
    StepDone,
    StepFailed,
    StepForbidden,
    StepPending,
    StepProgress,
    StepStale,
    Writer,
)
from engine.run_document import step_id
from engine.undo_plans import left_behind
from model.documents import Document, text_at
from model.plans import Plan, PutDeployment, PutSavedSearch
from model.states import Outcome
from model.times import format_time, parse_time

log = logging.getLogger("patchwright")

_KEEP_TRYING: Final = timedelta(minutes=30)
_KEEP_RESTORING: Final = timedelta(hours=24)
"""How long a step that puts something back is repeated: meanwhile a machine is unpatched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treating:
    """The hands: everything that a treatment does takes place here."""

    estate: Estate
    writer: Writer
    journal: Journal
    locks: Locks
    switch: KillSwitch
    leases: Leases
    admission: Admission
    counting: Counting

    def step(self, document: Document) -> Document:
        """One step of a treatment: begin it, or look at it again with `token`. Answers `wait`, `failed`, or done."""
        run, key, attempt = text_at(document, "run"), text_at(document, "finding"), attempt_of(document)
        index = document.get("index")
        index = index if isinstance(index, int) else 0
        case = self.journal.case(run, key, attempt)
        plan, recorded = case.plan, case.recorded
        step, prefix = plan.steps[index], case.entry(index)
        if f"{prefix}:done" in recorded:
            return {}
        if f"{prefix}:failed" in recorded:
            return {"failed": True}
        if document.get("afterFailure") is True and not case.puts_back(index):
            return {"failed": True}
        token = document.get("token")
        token = token if isinstance(token, dict) else {}
        # What was begun is looked at to its end; nothing is begun, and nothing is tried again.
        if token.get("begun") is not True and (why := self.locks.may_write(plan.finding.state)):
            return self._set_aside(run, attempt, plan, why)
        if not case.begun and self._may_not_begin(case, attempt):
            return {"setAside": True}
        now, before = self.journal.clock.now(), self.counting.so_far()
        since = parse_time(token.get("since")) or now
        restores = isinstance(step, PutDeployment | PutSavedSearch) and step.restores
        progress: StepProgress
        if back := clock_went_back(case.recorded.values(), now):
            progress = StepFailed(reason=back, retry=True)
        elif holder := self.leases.take(plan, attempt):
            # What is to be put back waits until the other run is done with it.
            progress = StepFailed(reason=f"run {holder} holds it now; the lease was lost", retry=restores)
        else:
            with self.leases.kept([plan], attempt):
                progress = self._progress_of(case, index, token)
        self.counting.record(run, before)
        answer = self._answered(case, index, attempt, progress, token=token, since=since)
        if answer.get("setAside") is not True:
            # Also those of its wave whose turn is yet to come.
            self.leases.renew(self._under_treatment(run, attempt, plan), attempt, _wait(answer))
        return answer

    def _progress_of(self, case: Case, index: int, token: Document) -> StepProgress:
        plan, run, key = case.plan, case.run, case.key
        step, id_ = plan.steps[index], step_id(run, key, index, case.number)
        inner = token.get("token")
        try:
            with correlated(run), self.locks.treating(plan.finding.state):
                if token.get("begun") is True:
                    return self.writer.check(step, id_, inner if isinstance(inner, dict) else {})
                self.journal.step_record(case, index, "began", {})
                return self.writer.begin(step, id_, self.journal.ours(run, target_of(step)))
        except AzureUnavailable as error:
            return StepFailed(reason=str(error), retry=True)
        except PermissionMissing as error:
            return StepFailed(reason=f"permission missing: {error}")
        except NotFound as error:
            return StepFailed(reason=f"not found: {error}")
        except Exception as error:
            # The one broad boundary: the loop around a finding records the error and takes the next.
            log.exception("step failed", extra={"run": run, "finding": key, "step": index})
            return StepFailed(reason=f"{type(error).__name__}: {error!s:.300}")

    def _answered(
        self, case: Case, index: int, attempt: str, progress: StepProgress, *, token: Document, since: datetime
    ) -> Document:
        """Write down how a step went; answers what the process wants to hear."""
        run, plan, step = case.run, case.plan, case.plan.steps[index]
        restores = isinstance(step, PutDeployment | PutSavedSearch) and step.restores
        match progress:
            case StepDone():
                body: Document = {"result": progress.result, "requestIds": list(progress.request_ids)}
                wrote = left_behind(step, progress.result)
                left = None if wrote is None else (target_of(step), wrote)
                self.journal.step_record(case, index, "done", body, wrote=left)
                return {}
            case StepPending():
                inner: Document = {"since": format_time(since), "token": progress.token, "begun": True}
                return {"wait": progress.look_again.total_seconds(), "token": inner}
            case StepStale():
                was, is_ = short(progress.planned), short(progress.found)
                body = {"stale": progress.field, "reason": f"{progress.field} should be {was}, and is {is_}"}
                self.journal.step_record(case, index, "failed", body)
                return {"failed": True}
            case StepForbidden():
                return self._set_aside(run, attempt, plan, progress.reason)
            case StepFailed():
                limit = _KEEP_RESTORING if restores else _KEEP_TRYING
                tries = token.get("tries")
                tries = tries + 1 if isinstance(tries, int) else 1
                asked: Document = {"requestIds": list(progress.request_ids)}
                if progress.retry and self.journal.clock.now() - since < limit:
                    self.journal.step_record(case, index, f"try-{tries}", {"reason": progress.reason, **asked})
                    again: Document = {"since": format_time(since), "tries": tries}
                    return {"wait": min(30 * 2 ** (tries - 1), 900), "token": again}
                body = {"reason": progress.reason, "result": progress.result, **asked}
                self.journal.step_record(case, index, "failed", body)
                return {"failed": True}

    def _may_not_begin(self, case: Case, attempt: str) -> bool:
        """True where a treatment whose turn has come may not begin after all; the outcome says why."""
        run, key = case.run, case.key
        lines = self.journal.ledger.entries(run, about=key, kinds=frozenset({"treatment", "outcome"}))
        if any(line.id == f"outcome:{attempt}:{key}" for line in lines):
            # Delivered twice: it is over already.
            return True
        # What undoes is a person's word, and is not held back by how the run that it undoes went.
        looked = looked_at(lines, attempt) or self.journal.clock.now()
        why = None if self.journal.undoes(run) else self.admission.begin(case, attempt, looked)
        if why is None and (holder := self.leases.take(case.plan, attempt)):
            self.admission.ended(case, failed=False)
            self.journal.conclude(run, attempt, case.plan, Outcome.HELD, f"run {holder} is working on it")
            return True
        if why is not None:
            self.journal.held(run, attempt, case.plan, why)
            self.leases.give_back(case.plan, attempt)
        return why is not None

    def _set_aside(self, run: str, attempt: str, plan: Plan, why: str) -> Document:
        """A treatment that may not go on is kept for a person; whoever goes on with it takes the leases anew."""
        self.switch.set_aside(run, attempt, plan, why)
        self.leases.give_back(plan, attempt)
        return {"setAside": True}

    def _under_treatment(self, run: str, attempt: str, plan: Plan) -> list[Plan]:
        """What an attempt has taken up and not ended, `plan` as long as it is among them."""
        lines = self.journal.ledger.entries(run, kinds=frozenset({"treatment", "applied", "outcome"}))
        taken = {line.about for line in lines if line.kind == "treatment" and line.body.get("by") == attempt}
        over = {line.about for line in lines if line.kind == "applied" or line.id == f"outcome:{attempt}:{line.about}"}
        others = taken - over - {plan.finding.key}
        return [plan, *(self.journal.plan(run, key) for key in sorted(others))]

    def settle(self, document: Document) -> Document:
        """After the last step: when to verify, or how it failed. Gives the leases back."""
        run, key = text_at(document, "run"), text_at(document, "finding")
        attempt, now = attempt_of(document), self.journal.clock.now()
        case = self.journal.case(run, key, attempt)
        plan, recorded = case.plan, case.recorded
        done = [i for i in range(len(plan.steps)) if f"{case.entry(i)}:done" in recorded]
        failed = next((e for i in range(len(plan.steps)) if (e := recorded.get(f"{case.entry(i)}:failed"))), None)
        if failed is None:
            before = self.counting.so_far()
            due = settling.due(plan.settle, now, self.estate)
            if plan.settle.missed(now):
                self.counting.record(run, before)
            applied: Document = {"finding": key, "remediation": plan.remediation, "due": format_time(due)}
            self.journal.record(run, Line(f"applied:{key}", "applied", applied, key))
            self.admission.applied(case, due)
        else:
            # A plan is stale where nothing was changed before the difference was seen.
            outcome = Outcome.STALE if "stale" in failed.body and not done else Outcome.FAILED
            number, reason = failed.body.get("index"), text_at(failed.body, "reason")
            place = f"step {number + 1 if isinstance(number, int) else number} of {len(plan.steps)}"
            self.journal.conclude(run, attempt, plan, outcome, f"{place}: {reason}")
        self.admission.ended(case, failed=failed is not None and not ("stale" in failed.body and not done))
        # Whatever was to be put back is back, or a person has to do it.
        self.leases.give_back(plan, attempt)
        return {}


def _wait(answer: Document) -> timedelta:
    """How long until the same step is looked at again."""
    seconds = answer.get("wait")
    return timedelta(seconds=seconds) if isinstance(seconds, int | float) else timedelta(0)
