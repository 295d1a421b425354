"""The activities of the process: each reads, decides or acts once, records it, and may be delivered twice.

Decisions are pure and live elsewhere; this module gathers what they need, in the order of the design, and writes down
what came of them.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from engine.catalogue import Catalogue
from engine.compare import moved, target_of
from engine.ports import (
    AzureUnavailable,
    Clock,
    Entry,
    Estate,
    Ledger,
    NotFound,
    PermissionMissing,
    Progress,
    RequestCount,
    StepDone,
    StepFailed,
    StepPending,
    StepProgress,
    StepStale,
    Writer,
    quiet,
)
from engine.requests import SweepRequest
from engine.run_document import run_document, step_id
from engine.selection import selects
from engine.settings import Settings
from engine.wire import from_json, to_json
from guardrails import Situation, judge
from guardrails.reach import machines as machines_reached
from guardrails.reach import resources as resources_changed
from model.documents import Document, Json, list_at, text_at
from model.facts import Facts
from model.findings import Finding, Unknown
from model.plans import Allow, Declined, Hold, Plan, PutDeployment, PutSavedSearch, Refuse, Step, Treatment, Verdict
from model.states import FailureState, Outcome
from model.times import format_time, parse_time

log = logging.getLogger("patchwright")

_LEASE: Final = timedelta(hours=6)
"""Longer than a treatment takes between two of its steps, so that only a vanished holder loses it."""
_KEEP_TRYING: Final = timedelta(minutes=30)
_KEEP_RESTORING: Final = timedelta(hours=24)
"""How long a step that puts something back is repeated: meanwhile a machine is unpatched."""
_LOOK_AGAIN: Final = timedelta(minutes=15)
_LOOKS: Final = 8
"""How often a verification that cannot tell is repeated, before a person is asked."""
_LARGEST_WAVE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one reading of the estate says."""

    facts: Facts
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
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

    def puts_back(self, index: int) -> bool:
        """True for a step that puts back what an earlier step of this try took away."""
        step = self.plan.steps[index]
        if not isinstance(step, PutDeployment | PutSavedSearch) or not step.restores:
            return False
        earlier = [i for i in range(index) if target_of(self.plan.steps[i]) == target_of(step)]
        # Begun counts: a write whose answer was lost may have happened, and putting back what is there is harmless.
        return any(f"{self.entry(i)}:{seen}" in self.recorded for i in earlier for seen in ("began", "done"))


class _Line(NamedTuple):
    """A line for the ledger, before it has its run and its time."""

    id: str
    kind: str
    body: Document
    about: str = ""


@dataclass(slots=True, kw_only=True)
class Engine:
    """Everything that acts together, handed in by the composition root."""

    settings: Settings
    catalogue: Catalogue
    estate: Estate
    writer: Writer
    ledger: Ledger
    clock: Clock
    progress: Progress = quiet
    activities: Mapping[str, Callable[[Document], Document]] = field(init=False)

    def __post_init__(self) -> None:
        self.activities = {
            "survey": self.survey,
            "open_apply": self.open_apply,
            "second_look": self.second_look,
            "step": self.step,
            "settle": self.settle,
            "next_verification": self.next_verification,
            "verify": self.verify,
            "close": self.close,
        }

    # Being asked

    def accept(self, request: SweepRequest) -> bool:
        """Write a run down before its process starts, so that it can be looked up; False where it already is."""
        header: Document = {
            **request.document,
            "dryRun": not self._acting(request),
            "scope": self._scope(request),
        }
        lines = _Line("run", "run", header), _Line("status:running", "status", {"status": "running"})
        return self._record(request.run, *lines)[0]

    def accept_apply(self, run: str, attempt: str, findings: Sequence[str] | None, by: str) -> None:
        """Write down that the saved plan of a run is to be applied, before the process starts."""
        self._record(
            run,
            _Line(f"apply:{attempt}", "apply", {"by": by, "findings": None if findings is None else list(findings)}),
            _Line(f"status:{attempt}", "status", {"status": "running"}),
        )

    def _acting(self, request: SweepRequest) -> bool:
        return not request.dry_run and not self.settings.dry_run

    # Reading and deciding

    def survey(self, document: Document) -> Document:
        """Read, detect, plan, judge the whole set, record. Answers the waves of what may be treated now."""
        request = SweepRequest.of(document)
        if surveyed := self.ledger.entries(request.run, kinds=frozenset({"surveyed"})):
            # Delivered twice: the plan that was recorded is the plan.
            return surveyed[0].body
        states = frozenset(FailureState if request.states is None else request.states)
        acting = self._acting(request)
        self.accept(request)
        before = self._counted()
        survey = self._look(states)
        facts = survey.facts
        findings = [f for f in survey.findings if selects(request.machines, f.target, facts)]
        unknown = [u for u in survey.unknown if not u.target or selects(request.machines, u.target, facts)]
        plans, declined, facts = self._plan(findings, facts)
        # A person who asks for a dry run means to apply it; a sweep of its own accord has nobody behind it.
        by_person = not acting and request.trigger in {"cli", "http"}
        treatments = self._judge(request.run, plans, facts, by_person=by_person, touched=frozenset())
        self._record(
            request.run,
            _Line(
                "facts",
                "facts",
                {
                    "machines": len(facts.machines),
                    "now": format_time(facts.now),
                    "partial": [*sorted({gap.what for gap in facts.unreadable.values()})],
                },
            ),
            *(_Line(f"finding:{f.key}", "finding", to_json(f), f.key) for f in findings),
            *(_Line(f"unknown:{n}", "unknown", to_json(u)) for n, u in enumerate(unknown)),
            *(_Line(f"plan:{t.plan.finding.key}", "plan", to_json(t), t.plan.finding.key) for t in treatments),
            *(_Line(f"advice:{d.finding.key}", "advice", _advice(d), d.finding.key) for d in declined),
        )
        for one in declined:
            self._conclude(request.run, request.run, one.finding.key, one.remediation, Outcome.DECLINED, one.reason)
        for treatment in treatments:
            if not acting:
                self._observe(request.run, treatment)
            elif not isinstance(treatment.verdict, Allow):
                self._held(request.run, request.run, treatment.plan, treatment.verdict)
        self._count(request.run, before)
        log.info(
            "survey recorded",
            extra={"run": request.run, "findings": len(findings), "plans": len(treatments), "unknown": len(unknown)},
        )
        allowed = [t for t in treatments if acting and isinstance(t.verdict, Allow)]
        answer: Document = {"waves": waves(allowed), "attempt": request.run, "byPerson": False}
        self._record(request.run, _Line("surveyed", "surveyed", answer))
        return answer

    def open_apply(self, document: Document) -> Document:
        """Take up the saved plan of a run, or the named findings of it. Nothing is decided here: see `second_look`."""
        run, attempt = text_at(document, "run"), text_at(document, "attempt")
        wanted = document.get("findings")
        named = [key for key in wanted if isinstance(key, str)] if isinstance(wanted, list) else None
        self.accept_apply(run, attempt, named, text_at(document, "by"))
        treatments = [
            treatment
            for treatment in self._saved(run).values()
            if not isinstance(wanted, list) or treatment.plan.finding.key in wanted
        ]
        applied = {entry.about for entry in self.ledger.entries(run, kinds=frozenset({"applied"}))}
        open_ones = [t for t in treatments if t.plan.finding.key not in applied]
        return {"waves": waves(open_ones), "attempt": attempt, "byPerson": True}

    def second_look(self, document: Document) -> Document:
        """Just before acting: lease, read again, plan again, compare, judge again. Answers what is still right."""
        run, attempt = text_at(document, "run"), _attempt(document)
        saved = self._saved(run)
        wave = {key: saved[key] for key in list_at(document, "findings") if isinstance(key, str) and key in saved}
        before, now = self._counted(), self.clock.now()
        if why := self.may_write():
            for key, treatment in wave.items():
                self._conclude(run, attempt, key, treatment.plan.remediation, Outcome.REFUSED, why)
            return {"treatments": []}
        for key, treatment in list(wave.items()):
            if holder := self._lease(run, treatment.plan, now):
                why = f"run {holder} is working on it"
                self._conclude(run, attempt, key, treatment.plan.remediation, Outcome.HELD, why)
                del wave[key]
        survey = self._look(frozenset(t.plan.finding.state for t in wave.values()))
        found = {finding.key: finding for finding in survey.findings}
        plans, declined, facts = self._plan([found[key] for key in wave if key in found], survey.facts)
        fresh = {plan.finding.key: plan for plan in plans} | {one.finding.key: one for one in declined}
        ours, touched = self._ours(run), self._touched(run, facts)
        going: list[Json] = []
        for key, treatment in wave.items():
            again = fresh.get(key)
            match again:
                case Plan() if change := moved(treatment.plan, again, ours):
                    was, is_ = _short(change.before), _short(change.after)
                    why = f"{change.field} was {was} when the plan was made, and is {is_}"
                    self._conclude(run, attempt, key, treatment.plan.remediation, Outcome.STALE, why)
                case Plan():
                    (judged,) = self._judge(
                        run, [again], facts, by_person=document.get("byPerson") is True, touched=touched
                    )
                    if isinstance(judged.verdict, Allow):
                        touched |= machines_reached(again, facts)
                        steps = len(treatment.plan.steps)
                        self._record(run, _Line(f"treatment:{key}", "treatment", {"finding": key, "by": attempt}, key))
                        going.append({"finding": key, "steps": steps})
                        continue
                    self._held(run, attempt, treatment.plan, judged.verdict)
                case Declined():
                    self._conclude(run, attempt, key, again.remediation, Outcome.STALE, again.reason)
                case None:
                    gap = next((u for u in survey.unknown if u.target in {"", treatment.plan.finding.target}), None)
                    why = f"cannot be told any more: {gap.missing}" if gap else "it is not found any more"
                    self._conclude(run, attempt, key, treatment.plan.remediation, Outcome.STALE, why)
            self._release(run, treatment.plan)
        self._count(run, before)
        return {"treatments": going}

    # Acting

    def may_write(self) -> str | None:
        """Why nothing may be changed now, or None where it may. Asked again before every single write."""
        if self.settings.dry_run:
            return "DRY_RUN is set: the app is locked, and nothing can be applied"
        return None

    def step(self, document: Document) -> Document:
        """One step of a treatment: begin it, or look at it again with `token`. Answers `wait`, `failed`, or done."""
        run, key = text_at(document, "run"), text_at(document, "finding")
        index = document.get("index")
        index = index if isinstance(index, int) else 0
        case = self._case(run, key, _attempt(document))
        plan, recorded = case.plan, case.recorded
        step, prefix = plan.steps[index], case.entry(index)
        if f"{prefix}:done" in recorded:
            return {}
        if f"{prefix}:failed" in recorded:
            return {"failed": True}
        if document.get("afterFailure") is True and not case.puts_back(index):
            return {"failed": True}
        now, before = self.clock.now(), self._counted()
        token = document.get("token")
        token = token if isinstance(token, dict) else {}
        since = parse_time(token.get("since")) or now
        if holder := self._lease(run, plan, now):
            return self._failed(case, index, f"run {holder} holds it now; the lease was lost")
        progress = self._progress_of(case, index, token)
        self._count(run, before)
        match progress:
            case StepDone():
                body: Document = {"result": progress.result, "requestIds": list(progress.request_ids)}
                self._step_record(case, index, "done", body, wrote=_wrote(step))
                return {}
            case StepPending():
                inner: Document = {"since": format_time(since), "token": progress.token, "begun": True}
                return {"wait": progress.look_again.total_seconds(), "token": inner}
            case StepStale():
                was, is_ = _short(progress.planned), _short(progress.found)
                body = {"stale": progress.field, "reason": f"{progress.field} should be {was}, and is {is_}"}
                self._step_record(case, index, "failed", body)
                return {"failed": True}
            case StepFailed():
                restores = isinstance(step, PutDeployment | PutSavedSearch) and step.restores
                limit = _KEEP_RESTORING if restores else _KEEP_TRYING
                tries = token.get("tries")
                tries = tries + 1 if isinstance(tries, int) else 1
                if progress.retry and now - since < limit:
                    self._step_record(case, index, f"try-{tries}", {"reason": progress.reason})
                    again: Document = {"since": format_time(since), "tries": tries}
                    return {"wait": min(30 * 2 ** (tries - 1), 900), "token": again}
                return self._failed(case, index, progress.reason, progress.result)

    def settle(self, document: Document) -> Document:
        """After the last step: when to verify, or how it failed. Gives the leases back."""
        run, key = text_at(document, "run"), text_at(document, "finding")
        attempt, now = _attempt(document), self.clock.now()
        case = self._case(run, key, attempt)
        plan, recorded = case.plan, case.recorded
        done = [i for i in range(len(plan.steps)) if f"{case.entry(i)}:done" in recorded]
        failed = next((e for i in range(len(plan.steps)) if (e := recorded.get(f"{case.entry(i)}:failed"))), None)
        if done or failed:
            # Whatever came of it: nobody else touches it for a while.
            self.ledger.claim(f"treated:{key}", run, now, now + self.settings.cool_down)
        if failed is None:
            due = plan.settle.due(now)
            applied: Document = {"finding": key, "due": format_time(due)}
            self._record(run, _Line(f"applied:{key}", "applied", applied, key))
        else:
            # A plan is stale where nothing was changed before the difference was seen.
            outcome = Outcome.STALE if "stale" in failed.body and not done else Outcome.FAILED
            number, reason = failed.body.get("index"), text_at(failed.body, "reason")
            place = f"step {number + 1 if isinstance(number, int) else number} of {len(plan.steps)}"
            self._conclude(run, attempt, key, plan.remediation, outcome, f"{place}: {reason}")
        self._release(run, plan)
        return {}

    # Verifying

    def next_verification(self, document: Document) -> Document:
        """How long until the next verification is due; no `wait` where none is open."""
        dues = [due for _, due in self._open_verifications(text_at(document, "run"))]
        if not dues:
            return {}
        self._record(
            text_at(document, "run"),
            _Line(
                f"status:waiting:{format_time(min(dues))}",
                "status",
                {"status": "waiting", "until": format_time(min(dues))},
            ),
        )
        return {"wait": max(0.0, (min(dues) - self.clock.now()).total_seconds())}

    def verify(self, document: Document) -> Document:
        """Look with the same detectors at everything that is due: not found any more means remediated."""
        run, attempt, now = text_at(document, "run"), _attempt(document), self.clock.now()
        saved, before = self._saved(run), self._counted()
        due = [key for key, when in self._open_verifications(run) if when <= now]
        if not due:
            return {}
        survey = self._look(frozenset(saved[key].plan.finding.state for key in due))
        found = {finding.key: finding for finding in survey.findings}
        relooks = [entry.about for entry in self.ledger.entries(run, kinds=frozenset({"relook"}))]
        for key in due:
            plan = saved[key].plan
            doubt = next(
                (u for u in survey.unknown if u.state is plan.finding.state and u.target in {"", plan.finding.target}),
                None,
            )
            looks = relooks.count(key)
            if key in found:
                why = f"still found: {found[key].reason}"
                self._conclude(run, attempt, key, plan.remediation, Outcome.INEFFECTIVE, why)
            elif doubt is None:
                self._conclude(run, attempt, key, plan.remediation, Outcome.REMEDIATED, "not found any more")
            elif looks < _LOOKS:
                body: Document = {"finding": key, "due": format_time(now + _LOOK_AGAIN), "missing": doubt.missing}
                self._record(run, _Line(f"relook:{key}:{looks}", "relook", body, key))
            else:
                why = f"applied, and could not be verified: {doubt.missing}"
                self._conclude(run, attempt, key, plan.remediation, Outcome.INEFFECTIVE, why)
        self._count(run, before)
        return {}

    def close(self, document: Document) -> Document:
        """The run is over: completed, whatever came of its findings."""
        run = text_at(document, "run")
        self._record(run, _Line(f"status:closed:{uuid.uuid4().hex[:8]}", "status", {"status": "completed"}))
        return {"run": run, "status": "completed"}

    def fail(self, run: str, reason: str) -> None:
        """The process itself broke; what was done until then is in the record."""
        self._record(
            run, _Line(f"status:failed:{uuid.uuid4().hex[:8]}", "status", {"status": "failed", "error": reason})
        )

    def reopen(self, run: str) -> None:
        """A process that could not be started is started after all."""
        self._record(run, _Line(f"status:again:{uuid.uuid4().hex[:8]}", "status", {"status": "running"}))

    def document(self, run: str) -> Document | None:
        """The run document, or None for an unknown run."""
        return run_document(self.ledger.entries(run))

    # Helpers: reading

    def _look(self, states: frozenset[FailureState]) -> Survey:
        """Read what the detectors of these states need, once, and let each of them judge."""
        detectors = self.catalogue.detecting(states)
        facts = self.estate.read(self.catalogue.readings(detectors), self.catalogue.queries(detectors), self.progress)
        closer = frozenset(id_ for detector in detectors for id_ in detector.suspects(facts))
        if closer:
            self.progress(f"a closer look at {len(closer)} suspects")
            facts = self.estate.look_closer(facts, closer)
        findings: list[Finding] = []
        unknown: list[Unknown] = []
        for detector in detectors:
            try:
                detections = list(detector.detect(facts))
            except Exception as error:
                # One detector that stumbles over what Azure said must not hide what the others found.
                log.exception("detector failed", extra={"state": detector.finds.value})
                detections = [Unknown(state=detector.finds, target="", missing=f"a judgement: {error!r:.300}")]
            findings += [d for d in detections if isinstance(d, Finding)]
            unknown += [d for d in detections if isinstance(d, Unknown)]
        return _causes_first(Survey(facts=facts, findings=tuple(findings), unknown=tuple(unknown)))

    def _plan(self, findings: Iterable[Finding], facts: Facts) -> tuple[list[Plan], list[Declined], Facts]:
        """The first remediation of each finding that has a plan, or what the gentlest one says instead."""
        findings = list(findings)
        wanted = frozenset(
            id_
            for finding in findings
            for remediation in self.catalogue.fixing(finding.state)
            for id_ in remediation.needs(finding, facts)
            if id_ not in facts.documents
        )
        if wanted:
            self.progress(f"{len(wanted)} documents to plan with")
            facts = self.estate.look_closer(facts, wanted)
        plans: list[Plan] = []
        declined: list[Declined] = []
        for finding in findings:
            answers = [remediation.plan(finding, facts) for remediation in self.catalogue.fixing(finding.state)]
            if plan := next((answer for answer in answers if isinstance(answer, Plan)), None):
                plans.append(plan)
            else:
                declined += [answer for answer in answers if isinstance(answer, Declined)][:1]
        return plans, declined, facts

    def _judge(
        self, run: str, plans: Iterable[Plan], facts: Facts, *, by_person: bool, touched: frozenset[str]
    ) -> list[Treatment]:
        """Judge plans in order, each in the light of what those before it touch."""
        treatments, now = [], self.clock.now()
        for plan in plans:
            key = plan.finding.key
            # A claim that ends as it begins only tells who holds the key now.
            holder = self.ledger.claim(f"treated:{key}", run, now, now)
            situation = Situation(
                facts=facts,
                mode=self.settings.mode(plan.finding.state),
                by_person=by_person,
                touched=touched,
                treated_lately=frozenset({key}) if holder != run else frozenset(),
            )
            verdict = judge(plan, situation, self.catalogue.guardrails)
            if isinstance(verdict, Allow):
                touched |= machines_reached(plan, facts)
            treatments.append(Treatment(id=step_id(run, key, -1), plan=plan, verdict=verdict))
        return treatments

    # Helpers: acting

    def _progress_of(self, case: _Case, index: int, token: Document) -> StepProgress:
        plan, run, key = case.plan, case.run, case.key
        step, id_ = plan.steps[index], step_id(run, key, index, case.number)
        inner = token.get("token")
        try:
            if token.get("begun") is True:
                return self.writer.check(step, id_, inner if isinstance(inner, dict) else {})
            self._step_record(case, index, "began", {})
            return self.writer.begin(step, id_, self._ours(run, target_of(step)))
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

    def _lease(self, run: str, plan: Plan, now: datetime) -> str | None:
        """Take or renew the leases on everything that the plan touches; the holder's run where another has one."""
        for resource in sorted(resources_changed(plan) | {plan.finding.target}):
            if (holder := self.ledger.claim(f"lease:{resource}", run, now, now + _LEASE)) != run:
                return holder
        return None

    def _release(self, run: str, plan: Plan) -> None:
        for resource in sorted(resources_changed(plan) | {plan.finding.target}):
            self.ledger.release(f"lease:{resource}", run)

    def _ours(self, run: str, resource: str | None = None) -> dict[str, Document]:
        """What this run itself last wrote, by lower-case resource id; the later lines overtake the earlier."""
        wrote = self.ledger.entries(run, about=resource, kinds=frozenset({"wrote"}))
        return {entry.about: entry.body for entry in wrote}

    def _touched(self, run: str, facts: Facts) -> frozenset[str]:
        """The machines that this run's treatments touch already."""
        saved = self._saved(run)
        treated = self.ledger.entries(run, kinds=frozenset({"treatment"}))
        return frozenset(m for e in treated if e.about in saved for m in machines_reached(saved[e.about].plan, facts))

    # Helpers: the ledger

    def _saved(self, run: str) -> dict[str, Treatment]:
        return {e.about: from_json(Treatment, e.body) for e in self.ledger.entries(run, kinds=frozenset({"plan"}))}

    def _case(self, run: str, key: str, attempt: str) -> _Case:
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
        return _Case(run=run, key=key, number=len(failed), plan=plan, recorded=recorded)

    def _record(self, run: str, *lines: _Line) -> tuple[bool, ...]:
        now = self.clock.now()
        return self.ledger.append([Entry(run=run, at=now, **line._asdict()) for line in lines])

    def _step_record(
        self, case: _Case, index: int, event: str, body: Document, wrote: tuple[str, Document] | None = None
    ) -> None:
        id_ = f"{case.entry(index)}:{event}"
        full: Document = {"finding": case.key, "try": case.number, "index": index, "event": event, **body}
        also = [_Line(f"wrote:{id_}", "wrote", wrote[1], wrote[0])] if wrote else []
        self._record(case.run, _Line(id_, "step", full, case.key), *also)

    def _failed(self, case: _Case, index: int, reason: str, result: Document | None = None) -> Document:
        self._step_record(case, index, "failed", {"reason": reason, "result": result or {}})
        return {"failed": True}

    def _conclude(  # noqa: PLR0917 - the columns of one line of the record, in its order
        self, run: str, attempt: str, key: str, remediation: str, outcome: Outcome, reason: str
    ) -> None:
        log.info("outcome", extra={"run": run, "finding": key, "outcome": outcome.value, "reason": reason})
        body: Document = {
            "finding": key,
            "remediation": remediation,
            "outcome": outcome.value,
            "reason": reason,
            "at": format_time(self.clock.now()),
        }
        self._record(run, _Line(f"outcome:{attempt}:{key}", "outcome", body, key))

    def _observe(self, run: str, treatment: Treatment) -> None:
        why = "a dry run; the plan is saved"
        if isinstance(treatment.verdict, Hold | Refuse):
            why += f", and {treatment.verdict.guardrail} would object: {treatment.verdict.reason}"
        self._conclude(run, run, treatment.plan.finding.key, treatment.plan.remediation, Outcome.OBSERVED, why)

    def _held(self, run: str, attempt: str, plan: Plan, verdict: Verdict) -> None:
        if isinstance(verdict, Hold | Refuse):
            outcome = Outcome.HELD if isinstance(verdict, Hold) else Outcome.REFUSED
            why = f"{verdict.guardrail}: {verdict.reason}"
            self._conclude(run, attempt, plan.finding.key, plan.remediation, outcome, why)

    def _open_verifications(self, run: str) -> list[tuple[str, datetime]]:
        """Findings whose fix was applied and not yet judged, with the time of the next look."""
        entries = self.ledger.entries(run, kinds=frozenset({"applied", "relook", "outcome"}))
        judged = {
            e.about
            for e in entries
            if e.kind == "outcome" and e.body.get("outcome") in {Outcome.REMEDIATED, Outcome.INEFFECTIVE}
        }
        dues: dict[str, datetime] = {}
        for entry in entries:
            if entry.kind in {"applied", "relook"} and (due := parse_time(entry.body.get("due"))):
                dues[entry.about] = due
        return [(key, due) for key, due in dues.items() if key not in judged]

    def _counted(self) -> RequestCount:
        read, write = self.estate.requests, self.writer.requests
        return RequestCount(read=read.read + write.read, probe=read.probe + write.probe, write=write.write)

    def _count(self, run: str, before: RequestCount) -> None:
        now = self._counted()
        body: Document = {
            "read": now.read - before.read,
            "probe": now.probe - before.probe,
            "write": now.write - before.write,
        }
        self._record(run, _Line(f"requests:{uuid.uuid4().hex}", "requests", body))

    def _scope(self, request: SweepRequest) -> Document:
        return {
            "subscriptions": list(self.settings.subscriptions),
            "account": self.settings.account,
            "workspace": self.settings.workspace,
            "states": [s.value for s in (FailureState if request.states is None else request.states)],
            "machines": None if request.machines is None else list(request.machines),
        }


def waves(treatments: Iterable[Treatment]) -> list[Json]:
    """One first, then two, four, and so on: a fault in the fix shows on one machine before it meets many.

    Two treatments of one group never share a wave, because the first changes what the second was planned for.
    """
    left, size, found = list(treatments), 1, list[Json]()
    while left:
        wave: list[Treatment] = []
        for treatment in left:
            groups = {t.plan.group for t in wave if t.plan.group}
            if len(wave) < size and treatment.plan.group not in groups:
                wave.append(treatment)
        left = [t for t in left if t not in wave]
        found.append([t.plan.finding.key for t in wave])
        size = min(size * 2, _LARGEST_WAVE)
    return found


def _causes_first(survey: Survey) -> Survey:
    """Clones take turns under one identity, which looks like a change of identity and is none."""
    clones = {f.target for f in survey.findings if f.state is FailureState.CLONED_MACHINE}
    explained = [f for f in survey.findings if f.state is FailureState.SOURCE_ID_CHANGED and f.target in clones]
    doubts = tuple(
        Unknown(state=f.state, target=f.target, missing="an agent identity of its own: the machine is a clone")
        for f in explained
    )
    return Survey(
        facts=survey.facts,
        findings=tuple(f for f in survey.findings if f not in explained),
        unknown=survey.unknown + doubts,
    )


def _wrote(step: Step) -> tuple[str, Document] | None:
    """What a done step leaves behind, and where; None for one that leaves no document."""
    return (target_of(step), step.after) if isinstance(step, PutDeployment | PutSavedSearch) else None


def _advice(declined: Declined) -> Document:
    advice = declined.advice
    return {"finding": advice.finding.key, "summary": advice.summary, "steps": list(advice.steps)}


def _attempt(document: Document) -> str:
    return text_at(document, "attempt") or text_at(document, "run")


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
