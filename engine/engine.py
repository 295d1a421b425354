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
from typing import Final

from engine.catalogue import Catalogue
from engine.compare import edited, moved, target_of
from engine.journal import Case, Journal, Line, ending, objection, observation
from engine.ports import (
    AzureUnavailable,
    Clock,
    Estate,
    Ledger,
    NotFound,
    PermissionMissing,
    Prober,
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
from engine.probing import Probing
from engine.requests import SweepRequest
from engine.run_document import run_document, step_id
from engine.selection import selects
from engine.settings import Settings
from engine.surveyor import OurEdit, Survey, Surveyor
from engine.waves import waves
from engine.wire import to_json
from guardrails import Situation, judge
from guardrails.reach import machines as machines_reached
from guardrails.reach import resources as resources_changed
from model.deployments import with_start
from model.diagnosis import Diagnosis
from model.documents import Change, Document, Json, list_at, text_at
from model.facts import Facts, Unreadable
from model.findings import Finding, Unknown
from model.plans import Allow, Declined, Plan, PutDeployment, PutSavedSearch, Step, Treatment
from model.states import FailureState, Mode, Outcome
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
    prober: Prober | None = None
    """Looks into machines, where that is allowed at all."""
    activities: Mapping[str, Callable[[Document], Document]] = field(init=False)
    surveyor: Surveyor = field(init=False)
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.surveyor = Surveyor(catalogue=self.catalogue, estate=self.estate, progress=self.progress)
        self.journal = Journal(ledger=self.ledger, clock=self.clock)
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
        lines = Line("run", "run", header), Line("status:running", "status", {"status": "running"})
        return self.journal.record(request.run, *lines)[0]

    def accept_apply(self, run: str, attempt: str, findings: Sequence[str] | None, by: str) -> None:
        """Write down that the saved plan of a run is to be applied, before the process starts."""
        self.journal.record(
            run,
            Line(f"apply:{attempt}", "apply", {"by": by, "findings": None if findings is None else list(findings)}),
            Line(f"status:{attempt}", "status", {"status": "running"}),
        )

    def _acting(self, request: SweepRequest) -> bool:
        return not request.dry_run and not self.settings.dry_run

    # Reading and deciding

    def survey(self, document: Document) -> Document:
        """Read, detect, plan, judge the whole set, record. Answers the waves of what may be treated now.

        Or `wait`, while machines are looked into: then it wants to be called again.
        """
        request = SweepRequest.of(document)
        if surveyed := self.ledger.entries(request.run, kinds=frozenset({"surveyed"})):
            # Delivered twice: the plan that was recorded is the plan.
            return surveyed[0].body
        states = frozenset(FailureState if request.states is None else request.states)
        acting = self._acting(request)
        self.accept(request)
        before = self._counted()
        # An empty selection selects nothing, so nothing is read for it.
        if request.machines == ():
            states = frozenset()
        if (wait := self._look_inside(request, states)) is not None:
            self._count(request.run, before)
            return {"wait": wait.total_seconds()}
        survey = self.surveyor.look(states, diagnoses=self._diagnoses(request.run))
        facts = survey.facts
        findings = [f for f in survey.findings if selects(request.machines, f.target, facts)]
        unknown = [u for u in survey.unknown if not u.target or selects(request.machines, u.target, facts)]
        plans, declined, facts = self.surveyor.plan(findings, facts)
        # A person who asks for a dry run means to apply it; a sweep of its own accord has nobody behind it.
        by_person = not acting and request.trigger in {"cli", "http"}
        treatments = self._judge(request.run, plans, facts, by_person=by_person, touched=frozenset())
        self.journal.record(
            request.run,
            Line(
                "facts",
                "facts",
                {
                    "machines": len(facts.machines),
                    "now": format_time(facts.now),
                    "partial": [*sorted({gap.what for gap in facts.unreadable.values()})],
                },
            ),
            *(Line(f"finding:{f.key}", "finding", to_json(f), f.key) for f in findings),
            *(Line(f"unknown:{n}", "unknown", to_json(u)) for n, u in enumerate(unknown)),
            *(Line(f"plan:{t.plan.finding.key}", "plan", to_json(t), t.plan.finding.key) for t in treatments),
            *(Line(f"advice:{d.finding.key}", "advice", _advice(d), d.finding.key) for d in declined),
            *(ending(request.run, one, Outcome.DECLINED, one.reason) for one in declined),
            *(observation(request.run, t) for t in treatments if not acting),
            *(
                objection(request.run, t.plan, t.verdict)
                for t in treatments
                if acting and not isinstance(t.verdict, Allow)
            ),
        )
        self._count(request.run, before)
        log.info(
            "survey recorded",
            extra={"run": request.run, "findings": len(findings), "plans": len(treatments), "unknown": len(unknown)},
        )
        allowed = [t for t in treatments if acting and isinstance(t.verdict, Allow)]
        answer: Document = {"waves": waves(allowed), "attempt": request.run, "byPerson": False}
        self.journal.record(request.run, Line("surveyed", "surveyed", answer))
        return answer

    def _look_inside(self, request: SweepRequest, states: frozenset[FailureState]) -> timedelta | None:
        """Have suspects looked into, once a run; how long until their answers may be here, or None where none is due.

        A dry run does so as well, and a locked app: the script only looks, and `PATCHWRIGHT_PROBE` says that it may.
        """
        probing = self._probing()
        if probing is None:
            return None
        if not probing.asked(request.run) and self.surveyor.looks_inside(states):
            facts = self.surveyor.look(states).facts
            suspects = self.surveyor.suspects(states, facts)
            probing.begin(request.run, (id_ for id_ in suspects if selects(request.machines, id_, facts)), facts)
        return probing.wait(request.run)

    def _probing(self) -> Probing | None:
        if self.prober is None or self.settings.probe == "never":
            return None
        return Probing(prober=self.prober, journal=self.journal, most=self.settings.max_probes)

    def _diagnoses(self, run: str) -> Mapping[str, Diagnosis | Unreadable]:
        probing = self._probing()
        return probing.diagnoses(run) if probing else {}

    def open_apply(self, document: Document) -> Document:
        """Take up the saved plan of a run, or the named findings of it. Nothing is decided here: see `second_look`."""
        run, attempt = text_at(document, "run"), text_at(document, "attempt")
        wanted = document.get("findings")
        named = [key for key in wanted if isinstance(key, str)] if isinstance(wanted, list) else None
        self.accept_apply(run, attempt, named, text_at(document, "by"))
        treatments = [
            treatment
            for treatment in self.journal.saved(run).values()
            if not isinstance(wanted, list) or treatment.plan.finding.key in wanted
        ]
        applied = {entry.about for entry in self.ledger.entries(run, kinds=frozenset({"applied"}))}
        open_ones = [t for t in treatments if t.plan.finding.key not in applied]
        # What was begun is finished first: the other plans were made from a world without half a treatment in it.
        begun = self.journal.under_way(run)
        halves = [t for t in open_ones if t.plan.finding.key in begun]
        others = [t for t in open_ones if t.plan.finding.key not in begun]
        return {"waves": [*waves(halves), *waves(others)], "attempt": attempt, "byPerson": True}

    def second_look(self, document: Document) -> Document:
        """Just before acting: lease, read again, plan again, compare, judge again. Answers what is still right."""
        run, attempt = text_at(document, "run"), _attempt(document)
        saved = self.journal.saved(run)
        wave = {key: saved[key] for key in list_at(document, "findings") if isinstance(key, str) and key in saved}
        before, now = self._counted(), self.clock.now()
        if why := self.may_write():
            for treatment in wave.values():
                self.journal.conclude(run, attempt, treatment.plan, Outcome.REFUSED, why)
            return {"treatments": []}
        for key, treatment in list(wave.items()):
            if holder := self._lease(run, treatment.plan, now):
                why = f"run {holder} is working on it"
                self.journal.conclude(run, attempt, treatment.plan, Outcome.HELD, why)
                del wave[key]
        # A treatment that was begun is finished, not planned anew: half of it has changed the world already, and what
        # it took away has to come back. Steps that are done are not done again.
        begun = self.journal.under_way(run)
        resumed = [key for key in wave if key in begun]
        going: list[Json] = [{"finding": key, "steps": len(wave.pop(key).plan.steps)} for key in resumed]
        if not wave:
            return {"treatments": going}
        ours = self.journal.ours(run)
        edits = {
            step.deployment.lower(): OurEdit(found=step.before, wrote=ours[step.deployment.lower()])
            for treatment in saved.values()
            # Of the steps at one deployment the first one has the body as it was read; the last to be put here wins.
            for step in reversed(treatment.plan.steps)
            if isinstance(step, PutDeployment) and step.deployment.lower() in ours
        }
        # The inside of a machine is read once a run; what a step relies on there, its script looks at again.
        states = frozenset(t.plan.finding.state for t in wave.values())
        survey = self.surveyor.look(states, edits, self._diagnoses(run))
        found = {finding.key: finding for finding in survey.findings}
        plans, declined, facts = self.surveyor.plan([found[key] for key in wave if key in found], survey.facts)
        fresh = {plan.finding.key: plan for plan in plans} | {one.finding.key: one for one in declined}
        without = [treatment.plan for key, treatment in wave.items() if not isinstance(fresh.get(key), Plan)]
        # Where no plan can be made any more, the deployments tell who changed what.
        changed = frozenset(target_of(s) for plan in without for s in plan.steps if isinstance(s, PutDeployment))
        if unread := changed - facts.documents.keys():
            facts = self.estate.look_closer(facts, unread)
        touched = self._touched(run, facts)
        for key, treatment in wave.items():
            again = fresh.get(key)
            match again:
                case Plan() if change := moved(treatment.plan, again, ours):
                    self.journal.conclude(run, attempt, treatment.plan, Outcome.STALE, _since_the_plan(change))
                case Plan():
                    (judged,) = self._judge(
                        run, [again], facts, by_person=document.get("byPerson") is True, touched=touched
                    )
                    if isinstance(judged.verdict, Allow):
                        touched |= machines_reached(again, facts)
                        steps = len(treatment.plan.steps)
                        self.journal.record(
                            run, Line(f"treatment:{key}", "treatment", {"finding": key, "by": attempt}, key)
                        )
                        going.append({"finding": key, "steps": steps})
                        continue
                    self.journal.held(run, attempt, treatment.plan, judged.verdict)
                case Declined() | None:
                    why = _lost(treatment.plan, again, survey, facts, ours)
                    self.journal.conclude(run, attempt, treatment.plan, Outcome.STALE, why)
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
        case = self.journal.case(run, key, _attempt(document))
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
        restores = isinstance(step, PutDeployment | PutSavedSearch) and step.restores
        progress: StepProgress
        if holder := self._lease(run, plan, now):
            # What is to be put back waits until the other run is done with it.
            progress = StepFailed(reason=f"run {holder} holds it now; the lease was lost", retry=restores)
        else:
            progress = self._progress_of(case, index, token)
        self._count(run, before)
        match progress:
            case StepDone():
                body: Document = {"result": progress.result, "requestIds": list(progress.request_ids)}
                self.journal.step_record(case, index, "done", body, wrote=_wrote(step, progress.result))
                return {}
            case StepPending():
                inner: Document = {"since": format_time(since), "token": progress.token, "begun": True}
                return {"wait": progress.look_again.total_seconds(), "token": inner}
            case StepStale():
                was, is_ = _short(progress.planned), _short(progress.found)
                body = {"stale": progress.field, "reason": f"{progress.field} should be {was}, and is {is_}"}
                self.journal.step_record(case, index, "failed", body)
                return {"failed": True}
            case StepFailed():
                limit = _KEEP_RESTORING if restores else _KEEP_TRYING
                tries = token.get("tries")
                tries = tries + 1 if isinstance(tries, int) else 1
                if progress.retry and now - since < limit:
                    self.journal.step_record(case, index, f"try-{tries}", {"reason": progress.reason})
                    again: Document = {"since": format_time(since), "tries": tries}
                    return {"wait": min(30 * 2 ** (tries - 1), 900), "token": again}
                return self.journal.step_failed(case, index, progress.reason, progress.result)

    def settle(self, document: Document) -> Document:
        """After the last step: when to verify, or how it failed. Gives the leases back."""
        run, key = text_at(document, "run"), text_at(document, "finding")
        attempt, now = _attempt(document), self.clock.now()
        case = self.journal.case(run, key, attempt)
        plan, recorded = case.plan, case.recorded
        done = [i for i in range(len(plan.steps)) if f"{case.entry(i)}:done" in recorded]
        failed = next((e for i in range(len(plan.steps)) if (e := recorded.get(f"{case.entry(i)}:failed"))), None)
        if done or failed:
            # Whatever came of it: nobody else touches it for a while.
            self.ledger.claim(f"treated:{key}", run, now, now + self.settings.cool_down)
        if failed is None:
            due = plan.settle.due(now)
            applied: Document = {"finding": key, "due": format_time(due)}
            self.journal.record(run, Line(f"applied:{key}", "applied", applied, key))
        else:
            # A plan is stale where nothing was changed before the difference was seen.
            outcome = Outcome.STALE if "stale" in failed.body and not done else Outcome.FAILED
            number, reason = failed.body.get("index"), text_at(failed.body, "reason")
            place = f"step {number + 1 if isinstance(number, int) else number} of {len(plan.steps)}"
            self.journal.conclude(run, attempt, plan, outcome, f"{place}: {reason}")
        self._release(run, plan)
        return {}

    # Verifying

    def next_verification(self, document: Document) -> Document:
        """How long until the next verification is due; no `wait` where none is open."""
        dues = [due for _, due in self.journal.open_verifications(text_at(document, "run"))]
        if not dues:
            return {}
        self.journal.record(
            text_at(document, "run"),
            Line(
                f"status:waiting:{format_time(min(dues))}",
                "status",
                {"status": "waiting", "until": format_time(min(dues))},
            ),
        )
        return {"wait": max(0.0, (min(dues) - self.clock.now()).total_seconds())}

    def verify(self, document: Document) -> Document:
        """Look with the same detectors at everything that is due: not found any more means remediated."""
        run, attempt, now = text_at(document, "run"), _attempt(document), self.clock.now()
        saved, before = self.journal.saved(run), self._counted()
        due = [key for key, when in self.journal.open_verifications(run) if when <= now]
        if not due:
            return {}
        survey = self.surveyor.look(frozenset(saved[key].plan.finding.state for key in due))
        found = {finding.key: finding for finding in survey.findings}
        relooks = [entry.about for entry in self.ledger.entries(run, kinds=frozenset({"relook"}))]
        for key in due:
            plan = saved[key].plan
            doubt = _doubt(survey, plan.finding)
            if self.settings.mode(plan.finding.state) is Mode.OFF:
                doubt = Unknown(state=plan.finding.state, target="", missing="its mode is off, so nobody looks")
            looks = relooks.count(key)
            if key in found:
                why = f"still found: {found[key].reason}"
                self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why)
            elif doubt is None:
                self.journal.conclude(run, attempt, plan, Outcome.REMEDIATED, "not found any more")
            elif looks < _LOOKS:
                body: Document = {"finding": key, "due": format_time(now + _LOOK_AGAIN), "missing": doubt.missing}
                self.journal.record(run, Line(f"relook:{key}:{looks}", "relook", body, key))
            else:
                why = f"applied, and could not be verified: {doubt.missing}"
                self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why)
        self._count(run, before)
        return {}

    def close(self, document: Document) -> Document:
        """The run is over: completed, whatever came of its findings."""
        run = text_at(document, "run")
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

    def document(self, run: str) -> Document | None:
        """The run document, or None for an unknown run."""
        return run_document(self.ledger.entries(run))

    # Helpers

    def _judge(
        self, run: str, plans: Iterable[Plan], facts: Facts, *, by_person: bool, touched: frozenset[str]
    ) -> list[Treatment]:
        """Judge plans in order, each in the light of what those before it touch."""
        treatments, plans = [], list(plans)
        holders = self.ledger.holders([f"treated:{plan.finding.key}" for plan in plans], self.clock.now())
        for plan in plans:
            key = plan.finding.key
            situation = Situation(
                facts=facts,
                mode=self.settings.mode(plan.finding.state),
                by_person=by_person,
                touched=touched,
                treated_lately=frozenset() if holders.get(f"treated:{key}", run) == run else frozenset({key}),
            )
            verdict = judge(plan, situation, self.catalogue.guardrails)
            if isinstance(verdict, Allow):
                touched |= machines_reached(plan, facts)
            treatments.append(Treatment(id=step_id(run, key, -1), plan=plan, verdict=verdict))
        return treatments

    def _progress_of(self, case: Case, index: int, token: Document) -> StepProgress:
        plan, run, key = case.plan, case.run, case.key
        step, id_ = plan.steps[index], step_id(run, key, index, case.number)
        inner = token.get("token")
        try:
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

    def _lease(self, run: str, plan: Plan, now: datetime) -> str | None:
        """Take or renew the leases on everything that the plan touches; the holder's run where another has one.

        All or none: what was taken before the one that another run has is given back. Another treatment of this run
        may want it as well, and takes it again before its next step.
        """
        for resource in sorted(resources_changed(plan) | {plan.finding.target}):
            if (holder := self.ledger.claim(f"lease:{resource}", run, now, now + _LEASE)) != run:
                self._release(run, plan)
                return holder
        return None

    def _release(self, run: str, plan: Plan) -> None:
        for resource in sorted(resources_changed(plan) | {plan.finding.target}):
            self.ledger.release(f"lease:{resource}", run)

    def _touched(self, run: str, facts: Facts) -> frozenset[str]:
        """The machines that this run's treatments touch already."""
        saved = self.journal.saved(run)
        treated = self.ledger.entries(run, kinds=frozenset({"treatment"}))
        return frozenset(m for e in treated if e.about in saved for m in machines_reached(saved[e.about].plan, facts))

    def _counted(self) -> RequestCount:
        parts = [self.estate.requests, self.writer.requests, *([self.prober.requests] if self.prober else [])]
        return RequestCount(
            read=sum(part.read for part in parts),
            probe=sum(part.probe for part in parts),
            write=sum(part.write for part in parts),
        )

    def _count(self, run: str, before: RequestCount) -> None:
        now = self._counted()
        body: Document = {
            "read": now.read - before.read,
            "probe": now.probe - before.probe,
            "write": now.write - before.write,
        }
        self.journal.record(run, Line(f"requests:{uuid.uuid4().hex}", "requests", body))

    def _scope(self, request: SweepRequest) -> Document:
        return {
            "subscriptions": list(self.settings.subscriptions),
            "account": self.settings.account,
            "workspace": self.settings.workspace,
            "states": [s.value for s in (FailureState if request.states is None else request.states)],
            "machines": None if request.machines is None else list(request.machines),
        }


def _advice(declined: Declined) -> Document:
    advice = declined.advice
    return {"finding": advice.finding.key, "summary": advice.summary, "steps": list(advice.steps)}


def _doubt(survey: Survey, finding: Finding) -> Unknown | None:
    """What keeps a reading from telling whether a finding still holds, or None where it tells."""
    about = {"", finding.target}
    return next((u for u in survey.unknown if u.state is finding.state and u.target in about), None)


def _lost(saved: Plan, again: Declined | None, survey: Survey, facts: Facts, ours: Mapping[str, Document]) -> str:
    """Why there is no plan any more where there was one."""
    if change := edited(saved, facts.documents, ours):
        return _since_the_plan(change)
    if again is not None:
        return again.reason
    gap = _doubt(survey, saved.finding)
    return f"cannot be told any more: {gap.missing}" if gap else "it is not found any more"


def _since_the_plan(change: Change) -> str:
    return f"{change.field} was {_short(change.before)} when the plan was made, and is {_short(change.after)}"


def _wrote(step: Step, result: Document) -> tuple[str, Document] | None:
    """What a done step leaves behind, and where; None for one that leaves no document."""
    match step:
        case PutDeployment():
            moved = text_at(result, "startMovedTo")
            return target_of(step), with_start(step.after, moved) if moved else step.after
        case PutSavedSearch():
            return target_of(step), step.after
        case _:
            return None


def _attempt(document: Document) -> str:
    return text_at(document, "attempt") or text_at(document, "run")


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
