"""The activities of the process: each reads, decides or acts once, records it, and may be delivered twice.

Decisions are pure and live elsewhere; this module gathers what they need, in the order of the design, and writes down
what came of them.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.admission import Admission, Background, looked_at
from engine.approvals import APPROVAL, LISTENING, Approval, Approvals, Decision, NotAnswerable, question
from engine.catalogue import Catalogue
from engine.compare import edited, moved, target_of
from engine.correlation import correlated
from engine.journal import Case, Journal, Line, ending, objection, observation
from engine.ladder import Ladder
from engine.leases import Leases, clock_went_back
from engine.pausing import KillSwitch, Work
from engine.ports import (
    Access,
    AzureUnavailable,
    Clock,
    Estate,
    Ledger,
    LedgerUnreadable,
    NotFound,
    PermissionMissing,
    Prober,
    Progress,
    RequestCount,
    StepDone,
    StepFailed,
    StepForbidden,
    StepPending,
    StepProgress,
    StepStale,
    Writer,
    quiet,
)
from engine.preflight import Preflight, Rights
from engine.probing import Probing, diagnoses, hand_in, look_of
from engine.requests import SweepRequest
from engine.run_document import run_document, step_id
from engine.selection import selects
from engine.settings import Settings
from engine.surveyor import OurEdit, Survey, Surveyor
from engine.undo_plans import left_behind
from engine.undoing import Undoing
from engine.waves import waves
from engine.wire import to_json
from guardrails import Situation, judge
from guardrails.reach import machines as machines_reached
from model.diagnosis import Diagnosis
from model.documents import Change, Document, Json, list_at, text_at
from model.facts import Facts, Unreadable
from model.findings import Finding, Unknown
from model.plans import Allow, Declined, Hold, Plan, PutDeployment, PutSavedSearch, Treatment, Verdict
from model.states import FailureState, Mode, Outcome
from model.times import format_time, parse_time

log = logging.getLogger("patchwright")

_KEEP_TRYING: Final = timedelta(minutes=30)
_KEEP_RESTORING: Final = timedelta(hours=24)
"""How long a step that puts something back is repeated: meanwhile a machine is unpatched."""
_LOOK_AGAIN: Final = timedelta(minutes=15)
_LOOKS: Final = 8
"""How often a verification that cannot tell is repeated, before a person is asked."""
LOCKED: Final = "DRY_RUN is set: the app is locked, and nothing can be applied"
_TREATING: Final[ContextVar[FailureState | None]] = ContextVar("treating", default=None)
"""The state of the treatment whose step is at the writer's door: it may be paused by itself."""


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
    kept: Mapping[str, str] = field(default_factory=dict)
    """Diagnoses that somebody hands in, by the machine's id: each sweep goes by them."""
    access: Access | None = None
    """Tells whether what the settings name can be read, where somebody asks for that."""
    rights: Rights | None = None
    """Tells what the identity that writes may do, where there is one."""
    activities: Mapping[str, Callable[[Document], Document]] = field(init=False)
    preflight: Preflight = field(init=False)
    surveyor: Surveyor = field(init=False)
    journal: Journal = field(init=False)
    switch: KillSwitch = field(init=False)
    approvals: Approvals = field(init=False)
    undoing: Undoing = field(init=False)
    admission: Admission = field(init=False)
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.surveyor = Surveyor(
            catalogue=self.catalogue,
            estate=self.estate,
            progress=self.progress,
            ladder=Ladder(
                owner=settings.owner,
                owner_tag=settings.owner_tag,
                attempts=settings.attempts,
                within=settings.attempts_within,
            ),
        )
        self.journal = Journal(ledger=self.ledger, clock=self.clock)
        self.admission = Admission(settings=settings, catalogue=self.catalogue, journal=self.journal)
        self.leases = Leases(ledger=self.ledger, clock=self.clock)
        self.switch = KillSwitch(journal=self.journal)
        self.approvals = Approvals(journal=self.journal)
        self.preflight = Preflight(rights=self.rights, remediations=self.catalogue.remediations, clock=self.clock)
        self.undoing = Undoing(
            preflight=self.preflight,
            settings=self.settings,
            catalogue=self.catalogue,
            estate=self.estate,
            journal=self.journal,
            progress=self.progress,
        )
        self.activities = {
            "survey": self.survey,
            "open_apply": self.open_apply,
            "open_undo": self.open_undo,
            "second_look": self.second_look,
            "step": self.step,
            "settle": self.settle,
            "next_look": self.next_look,
            "take_up": self.take_up,
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
        hand_in(self.journal, request.run, self.kept)
        before = self._counted()
        # An empty selection selects nothing, so nothing is read for it.
        if request.machines == ():
            states = frozenset()
        looked = self._look_inside(request, states)
        if isinstance(looked, timedelta):
            self._count(request.run, before)
            return {"wait": looked.total_seconds()}
        survey = looked or self.surveyor.look(states, diagnoses=self._diagnoses(request.run))
        facts = survey.facts
        findings = [f for f in survey.findings if selects(request.machines, f.target, facts)]
        unknown = [u for u in survey.unknown if not u.target or selects(request.machines, u.target, facts)]
        self.admission.saw(survey.findings, facts)
        plans, declined, facts = self.surveyor.plan(findings, facts, self.admission.exhausted(findings))
        # A person who asks for a dry run means to apply it; a sweep of its own accord has nobody behind it.
        by_person = not acting and request.trigger in {"cli", "http"}
        known = self.admission.background(request.run, request.run, plans, survey.findings)
        treatments = self._judge(known, plans, facts, by_person=by_person, touched=frozenset(), asking=acting)
        if acting:
            treatments = self.preflight.checked(treatments)
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
                if acting and not isinstance(t.verdict, Allow) and not _asks(t)
            ),
        )
        # Asked about as it was saved: delivered twice, the first plan is the plan.
        asked = [t for t in self.journal.saved(request.run).values() if acting and _asks(t)]
        now, expiry = self.clock.now(), self.settings.approval_expiry
        self.journal.record(request.run, *(question(request.run, t, now, expiry) for t in asked))
        self._count(request.run, before)
        log.info(
            "survey recorded",
            extra={"run": request.run, "findings": len(findings), "plans": len(treatments), "unknown": len(unknown)},
        )
        allowed = [t for t in treatments if acting and isinstance(t.verdict, Allow)]
        answer: Document = {"waves": self._waves(allowed), "attempt": request.run, "byPerson": False}
        self.journal.record(request.run, Line("surveyed", "surveyed", answer))
        return answer

    def _look_inside(self, request: SweepRequest, states: frozenset[FailureState]) -> Survey | timedelta | None:
        """Have suspects looked into, once a run; how long until their answers may be here, or None where none is due.

        Where nobody is suspected, what was read for that is all there is to read.
        A dry run does so as well, and a locked app: the script only looks, and `PATCHWRIGHT_PROBE` says that it may.
        """
        probing = self._probing()
        if probing is None:
            return None
        paused = self.switch.stops(None) is not None
        if not paused and not probing.asked(request.run) and self.surveyor.looks_inside(states):
            survey = self.surveyor.look(states)
            facts, suspects = survey.facts, self.surveyor.suspects(states, survey.facts)
            wanted = frozenset(id_ for id_ in suspects if selects(request.machines, id_, facts))
            # Before those of whom more would be known, those of whom nothing could be told.
            probing.begin(request.run, wanted, facts, first=frozenset(doubt.target for doubt in survey.unknown))
            if not wanted:
                return survey
        return probing.wait(request.run)

    def _probing(self) -> Probing | None:
        if self.prober is None or self.settings.probe == "never":
            return None
        return Probing(prober=self.prober, journal=self.journal, most=self.settings.max_probes)

    def _diagnoses(self, run: str) -> Mapping[str, Diagnosis | Unreadable]:
        return diagnoses(self.journal, run)

    def open_apply(self, document: Document) -> Document:
        """Take up the saved plan of a run, or the named findings of it. Nothing is decided here: see `second_look`."""
        run, attempt = text_at(document, "run"), text_at(document, "attempt")
        wanted = document.get("findings")
        named = [key for key in wanted if isinstance(key, str)] if isinstance(wanted, list) else None
        by = text_at(document, "by")
        self.accept_apply(run, attempt, named, by)
        left_out = self.approvals.overtaken(run, attempt, by, frozenset(named or ()))
        treatments = [
            treatment
            for treatment in self.journal.saved(run).values()
            if not isinstance(wanted, list) or treatment.plan.finding.key in wanted
        ]
        applied = {entry.about for entry in self.ledger.entries(run, kinds=frozenset({"applied"}))}
        open_ones = [t for t in treatments if t.plan.finding.key not in applied | left_out]
        # What was begun is finished first: the other plans were made from a world without half a treatment in it.
        begun = self.journal.under_way(run)
        halves = [t for t in open_ones if t.plan.finding.key in begun]
        others = [t for t in open_ones if t.plan.finding.key not in begun]
        return {"waves": [*self._waves(halves), *self._waves(others)], "attempt": attempt, "byPerson": True}

    def open_undo(self, document: Document) -> Document:
        """Plan how to put back what another run changed; a dry run ends there."""
        before = self._counted()
        answer = self.undoing.open(document)
        self._count(text_at(document, "run"), before)
        return answer

    def second_look(self, document: Document) -> Document:
        """Just before acting: lease, read again, plan again, compare, judge again. Answers what is still right."""
        run, attempt = text_at(document, "run"), _attempt(document)
        saved = self.journal.saved(run)
        wave = {key: saved[key] for key in list_at(document, "findings") if isinstance(key, str) and key in saved}
        before = self._counted()
        if out_of_the_question := self._out_of_the_question(run):
            for treatment in wave.values():
                self.journal.conclude(run, attempt, treatment.plan, *out_of_the_question)
            return {"treatments": []}
        for key in self.switch.set_aside_paused(run, attempt, [treatment.plan for treatment in wave.values()]):
            del wave[key]
        for key, treatment in list(wave.items()):
            if holder := self.leases.take(treatment.plan, attempt):
                why = f"run {holder} is working on it"
                self.journal.conclude(run, attempt, treatment.plan, Outcome.HELD, why)
                del wave[key]
        # A treatment that was begun is finished, not planned anew: half of it has changed the world already, and what
        # it took away has to come back. Steps that are done are not done again.
        begun = self.journal.under_way(run)
        resumed = [key for key in wave if key in begun]
        self._treating(run, attempt, resumed)
        going: list[Json] = [{"finding": key, "steps": len(wave.pop(key).plan.steps)} for key in resumed]
        if not wave:
            return {"treatments": going}
        with self.leases.kept((treatment.plan for treatment in wave.values()), attempt):
            if undoes := self.journal.undoes(run):
                right = self.undoing.second_look(run, attempt, undoes, [*wave.values()])
            else:
                right = self._planned_again(run, attempt, saved, wave, by_person=document.get("byPerson") is True)
        self._treating(run, attempt, [key for key in wave if key in right])
        for key, treatment in wave.items():
            if key in right:
                going.append({"finding": key, "steps": len(treatment.plan.steps)})
            else:
                self.leases.give_back(treatment.plan, attempt)
        self._count(run, before)
        return {"treatments": going}

    def _out_of_the_question(self, run: str) -> tuple[Outcome, str] | None:
        """Why nothing at all may be treated now, and what that makes of the findings."""
        if self.settings.dry_run:
            return Outcome.REFUSED, LOCKED
        earlier = self.ledger.entries(run, kinds=frozenset({"run", "surveyed", "treatment", "status"}))
        back = clock_went_back(earlier, self.clock.now())
        return (Outcome.HELD, back) if back else None

    def _planned_again(
        self, run: str, attempt: str, saved: Mapping[str, Treatment], wave: Mapping[str, Treatment], *, by_person: bool
    ) -> frozenset[str]:
        """The findings whose plan is the same when it is made anew, and is still allowed; says why of the others."""
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
        again_found = [found[key] for key in wave if key in found]
        meant = {key: treatment.plan.remediation for key, treatment in wave.items()}
        plans, declined, facts = self.surveyor.plan(again_found, survey.facts, first=meant)
        fresh = {plan.finding.key: plan for plan in plans} | {one.finding.key: one for one in declined}
        without = [treatment.plan for key, treatment in wave.items() if not isinstance(fresh.get(key), Plan)]
        # Where no plan can be made any more, the deployments tell who changed what.
        changed = frozenset(target_of(s) for plan in without for s in plan.steps if isinstance(s, PutDeployment))
        if unread := changed - facts.documents.keys():
            facts = self.estate.look_closer(facts, unread)
        known = self.admission.background(run, attempt, plans, survey.findings)
        touched, right = self.admission.touched(run, facts), set[str]()
        for key, treatment in wave.items():
            again = fresh.get(key)
            match again:
                case Plan() if change := moved(treatment.plan, again, ours):
                    self.journal.conclude(run, attempt, treatment.plan, Outcome.STALE, _since_the_plan(change))
                case Plan():
                    one = self._judge(known, [again], facts, by_person=by_person, touched=touched)
                    (judged,) = self.preflight.checked(one)
                    reached, verdict = machines_reached(again, facts), judged.verdict
                    if isinstance(verdict, Allow):
                        verdict = self.admission.reach(run, reached, facts) or verdict
                    if isinstance(verdict, Allow):
                        touched |= reached
                        right.add(key)
                    else:
                        self.journal.held(run, attempt, treatment.plan, verdict)
                case Declined() | None:
                    why = _lost(treatment.plan, again, survey, facts, ours)
                    self.journal.conclude(run, attempt, treatment.plan, Outcome.STALE, why)
        return frozenset(right)

    # Acting

    def may_write(self, state: FailureState | None = None) -> str | None:
        """Why nothing may be changed now, or None where it may. Asked again before every single write.

        `state` is what the change is for; inside a step it is known without being told.
        """
        if self.settings.dry_run:
            return LOCKED
        try:
            pause = self.switch.stops(state or _TREATING.get())
        except (AzureUnavailable, LedgerUnreadable, PermissionMissing) as error:
            return f"whether the app is paused cannot be told: {error}"
        return str(pause) if pause else None

    def may_apply(self, states: Collection[FailureState]) -> str | None:
        """Why nothing of all this can be applied now, or None where something can."""
        forbidden = [self.may_write(state) for state in states] or [self.may_write()]
        return forbidden[0] if all(forbidden) else None

    def answer(self, id_: str, decision: Decision, *, by: str, reason: str, plan_hash: str | None = None) -> Approval:
        """A person's yes or no to a treatment that waits.

        Raises:
            UnknownApproval, NotAnswerable: as `Approvals.answer`; and where what is approved could not be applied now.
        """
        approval = self.approvals.find(id_)
        states = [state for state in FailureState if state.value == approval.finding.partition(":")[0]]
        if decision is Decision.APPROVE and approval.answer is None and (why := self.may_apply(states)):
            raise NotAnswerable(why)
        try:
            return self.approvals.answer(id_, decision, by=by, reason=reason, plan_hash=plan_hash)
        finally:
            self._close_again(approval.run)

    def waiting(self) -> tuple[Approval, ...]:
        """Every treatment that waits for a person's answer."""
        before = {one.run for one in self.approvals.unanswered()}
        waiting = self.approvals.waiting()
        for run in sorted(before - {one.run for one in waiting}):
            self._close_again(run)
        return waiting

    def free_to_go_on(self) -> tuple[Work, ...]:
        """What was set aside and could go on, were a person to say so."""
        free = {state.value: self.may_write(state) is None for state in FailureState}
        return tuple(work for work in self.switch.queued() if free.get(work.finding.partition(":")[0]))

    def _close_again(self, run: str) -> None:
        """A run without a process that waited for people: over, where they have said everything."""
        statuses = self.ledger.entries(run, kinds=frozenset({"status"}))
        waited = text_at(statuses[-1].body, "for") if statuses else ""
        if not waited or self._people(run) == waited:
            return
        if dues := [due for _, due in self.journal.open_verifications(run)]:
            # Nobody sleeps until then; whoever takes the run up verifies what is due.
            body: Document = {"status": "waiting", "until": format_time(min(dues))}
            self.journal.record(run, Line(f"status:waiting:{uuid.uuid4().hex[:8]}", "status", body))
        else:
            self.close({"run": run})

    def step(self, document: Document) -> Document:
        """One step of a treatment: begin it, or look at it again with `token`. Answers `wait`, `failed`, or done."""
        run, key, attempt = text_at(document, "run"), text_at(document, "finding"), _attempt(document)
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
        if token.get("begun") is not True and (why := self.may_write(plan.finding.state)):
            return self._set_aside(run, attempt, plan, why)
        if not case.begun and self._may_not_begin(case, attempt):
            return {"setAside": True}
        now, before = self.clock.now(), self._counted()
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
        self._count(run, before)
        answer = self._answered(case, index, attempt, progress, token=token, since=since)
        if answer.get("setAside") is not True:
            # Also those of its wave whose turn is yet to come.
            self.leases.renew(self._under_treatment(run, attempt, plan), attempt, _wait(answer))
        return answer

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
                was, is_ = _short(progress.planned), _short(progress.found)
                body = {"stale": progress.field, "reason": f"{progress.field} should be {was}, and is {is_}"}
                self.journal.step_record(case, index, "failed", body)
                return {"failed": True}
            case StepForbidden():
                return self._set_aside(run, attempt, plan, progress.reason)
            case StepFailed():
                limit = _KEEP_RESTORING if restores else _KEEP_TRYING
                tries = token.get("tries")
                tries = tries + 1 if isinstance(tries, int) else 1
                if progress.retry and self.clock.now() - since < limit:
                    self.journal.step_record(case, index, f"try-{tries}", {"reason": progress.reason})
                    again: Document = {"since": format_time(since), "tries": tries}
                    return {"wait": min(30 * 2 ** (tries - 1), 900), "token": again}
                return self.journal.step_failed(case, index, progress.reason, progress.result)

    def _set_aside(self, run: str, attempt: str, plan: Plan, why: str) -> Document:
        """A treatment that may not go on is kept for a person; whoever goes on with it takes the leases anew."""
        self.switch.set_aside(run, attempt, plan, why)
        self.leases.give_back(plan, attempt)
        return {"setAside": True}

    def settle(self, document: Document) -> Document:
        """After the last step: when to verify, or how it failed. Gives the leases back."""
        run, key = text_at(document, "run"), text_at(document, "finding")
        attempt, now = _attempt(document), self.clock.now()
        case = self.journal.case(run, key, attempt)
        plan, recorded = case.plan, case.recorded
        done = [i for i in range(len(plan.steps)) if f"{case.entry(i)}:done" in recorded]
        failed = next((e for i in range(len(plan.steps)) if (e := recorded.get(f"{case.entry(i)}:failed"))), None)
        if failed is None:
            due = plan.settle.due(now)
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

    # Waiting

    def next_look(self, document: Document) -> Document:
        """How long until something is due: a verification, or, where `answers`, the end of a question to a person.

        No `wait` where nothing is; `listen` where an answer may come before that.
        """
        run, now = text_at(document, "run"), self.clock.now()
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
        self.journal.record(run, Line(f"status:waiting:{_attempt(document)}:{format_time(due)}", "status", body))
        wait = due - now if not waiting else min(due - now, LISTENING)
        return {"wait": max(0.0, wait.total_seconds()), "listen": bool(waiting)}

    def take_up(self, document: Document) -> Document:
        """What was approved goes on; what was rejected, or answered by nobody in time, ends."""
        run = text_at(document, "run")
        approved = self.approvals.take_up(run, text_at(document, "by"))
        saved = self.journal.saved(run) if approved else {}
        return {"waves": self._waves(saved[key] for key in approved)}

    # Verifying

    def verify(self, document: Document) -> Document:
        """Look with the same detectors at everything that is due: not found any more means remediated.

        Answers `wait` while machines are looked into: then it wants to be called again.
        """
        run, attempt, now = text_at(document, "run"), _attempt(document), self.clock.now()
        saved, before = self.journal.saved(run), self._counted()
        due = [key for key, when in self.journal.open_verifications(run) if when <= now]
        if not due:
            return {}
        if undoes := self.journal.undoes(run):
            doubts = self.undoing.verify(run, attempt, undoes, [saved[key].plan for key in due])
            for key, missing in doubts.items():
                self._look_later(run, attempt, saved[key].plan, missing)
            self._count(run, before)
            return {}
        survey = self._look_again(run, [saved[key].plan.finding for key in due])
        if isinstance(survey, timedelta):
            self._count(run, before)
            return {"wait": survey.total_seconds()}
        found = {finding.key: finding for finding in survey.findings}
        for key in due:
            plan = saved[key].plan
            doubt = _doubt(survey, plan.finding)
            if self.settings.mode(plan.finding.state) is Mode.OFF:
                doubt = Unknown(state=plan.finding.state, target="", missing="its mode is off, so nobody looks")
            if key in found:
                why = f"still found: {found[key].reason}"
                self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why)
                self.admission.verified(run, key, helped=False)
            elif doubt is None:
                self.journal.conclude(run, attempt, plan, Outcome.REMEDIATED, "not found any more")
                self.admission.verified(run, key, helped=True)
            else:
                self._look_later(run, attempt, plan, doubt.missing)
        self._count(run, before)
        return {}

    def _look_again(self, run: str, findings: Sequence[Finding]) -> Survey | timedelta:
        """A fresh reading, and a fresh look into the machines that it makes suspect; or how long that will take."""
        states, probing = frozenset(finding.state for finding in findings), self._probing()
        if probing is None:
            return self.surveyor.look(states)
        if (wait := probing.wait(run)) is not None:
            return wait
        # An answer from before the repair tells nothing: each look is that of the line by which it is due.
        lines = self.ledger.entries(run, kinds=frozenset({"applied", "relook"}))
        looks = {finding.target: look_of(e.id) for finding in findings for e in lines if e.about == finding.key}
        told = diagnoses(self.journal, run, looks)
        survey = self.surveyor.look(states, diagnoses=told)
        unasked = self.surveyor.suspects(states, survey.facts) & looks.keys() & survey.facts.machines.keys()
        if unasked := unasked - told.keys():
            return probing.again(run, {id_: looks[id_] for id_ in sorted(unasked)}, survey.facts)
        return survey

    def _look_later(self, run: str, attempt: str, plan: Plan, missing: str) -> None:
        """A verifying look could not tell: another one is due, until there have been too many."""
        key = plan.finding.key
        looks = len(self.ledger.entries(run, about=key, kinds=frozenset({"relook"})))
        if looks < _LOOKS:
            due = format_time(self.clock.now() + _LOOK_AGAIN)
            body: Document = {"finding": key, "due": due, "missing": missing}
            self.journal.record(run, Line(f"relook:{key}:{looks}", "relook", body, key))
        else:
            why = f"applied, and could not be verified: {missing}"
            self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why)
            self.admission.verified(run, key, helped=False)

    def close(self, document: Document) -> Document:
        """Completed, whatever came of its findings; or `waiting`, where it can go on only when a person says so."""
        run = text_at(document, "run")
        if people := self._people(run):
            body: Document = {"status": "waiting", "for": people}
            self.journal.record(run, Line(f"status:closed:{uuid.uuid4().hex[:8]}", "status", body))
            return {"run": run, **body}
        self.journal.record(run, Line(f"status:closed:{uuid.uuid4().hex[:8]}", "status", {"status": "completed"}))
        return {"run": run, "status": "completed"}

    def _people(self, run: str) -> str:
        """What a run without a process waits for; empty where it is over."""
        if self.approvals.waiting_in(run):
            return "approval"
        return "resume" if self.switch.queued_in(run) else ""

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
        self,
        known: Background,
        plans: Iterable[Plan],
        facts: Facts,
        *,
        by_person: bool,
        touched: frozenset[str],
        asking: bool = False,
    ) -> list[Treatment]:
        """Judge plans in order, each in the light of what those before it touch.

        Where `asking`, a plan that a person's yes would allow is held until somebody has said it.
        """
        treatments: list[Treatment] = []
        for plan in plans:
            situation = self.admission.situation(plan, known, facts, by_person=by_person, touched=touched)
            verdict = self._verdict(plan, situation, asking=asking)
            if isinstance(verdict, Allow) or _waits(verdict):
                touched |= machines_reached(plan, facts)
            treatments.append(Treatment(id=step_id(known.run, plan.finding.key, -1), plan=plan, verdict=verdict))
        return treatments

    def _verdict(self, plan: Plan, situation: Situation, *, asking: bool) -> Verdict:
        state, belts = plan.finding.state, self.catalogue.guardrails
        if pause := self.switch.stops(state):
            return Hold(guardrail="kill-switch", reason=str(pause))
        verdict = judge(plan, situation, belts)
        ask = asking and situation.mode is Mode.ASK and not isinstance(verdict, Allow)
        if ask and isinstance(judge(plan, replace(situation, by_person=True), belts), Allow):
            until = self.clock.now() + self.settings.approval_expiry
            return Hold(
                guardrail=APPROVAL, reason=f"{state.value} is in mode ask: a person has to say yes", until=until
            )
        return verdict

    def _progress_of(self, case: Case, index: int, token: Document) -> StepProgress:
        plan, run, key = case.plan, case.run, case.key
        step, id_ = plan.steps[index], step_id(run, key, index, case.number)
        inner = token.get("token")
        treating = _TREATING.set(plan.finding.state)
        try:
            with correlated(run):
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
        finally:
            _TREATING.reset(treating)

    def _may_not_begin(self, case: Case, attempt: str) -> bool:
        """True where a treatment whose turn has come may not begin after all; the outcome says why."""
        run, key = case.run, case.key
        lines = self.ledger.entries(run, about=key, kinds=frozenset({"treatment", "outcome"}))
        if any(line.id == f"outcome:{attempt}:{key}" for line in lines):
            # Delivered twice: it is over already.
            return True
        # What undoes is a person's word, and is not held back by how the run that it undoes went.
        looked = looked_at(lines, attempt) or self.clock.now()
        why = None if self.journal.undoes(run) else self.admission.begin(case, attempt, looked)
        if why is None and (holder := self.leases.take(case.plan, attempt)):
            self.admission.ended(case, failed=False)
            self.journal.conclude(run, attempt, case.plan, Outcome.HELD, f"run {holder} is working on it")
            return True
        if why is not None:
            self.journal.held(run, attempt, case.plan, why)
            self.leases.give_back(case.plan, attempt)
        return why is not None

    def _treating(self, run: str, attempt: str, keys: Iterable[str]) -> None:
        """Write down what an attempt treats from now on."""
        self.journal.record(
            run,
            *(Line(f"treatment:{attempt}:{key}", "treatment", {"finding": key, "by": attempt}, key) for key in keys),
        )

    def _under_treatment(self, run: str, attempt: str, plan: Plan) -> list[Plan]:
        """What an attempt has taken up and not ended, `plan` as long as it is among them."""
        lines = self.ledger.entries(run, kinds=frozenset({"treatment", "applied", "outcome"}))
        taken = {line.about for line in lines if line.kind == "treatment" and line.body.get("by") == attempt}
        over = {line.about for line in lines if line.kind == "applied" or line.id == f"outcome:{attempt}:{line.about}"}
        others = taken - over - {plan.finding.key}
        return [plan, *(self.journal.saved(run)[key].plan for key in sorted(others))] if others else [plan]

    def _waves(self, treatments: Iterable[Treatment]) -> list[Json]:
        return waves(treatments, self.settings.largest_wave)

    def _counted(self) -> RequestCount:
        parts = [self.estate.requests, self.writer.requests]
        parts += [one.requests for one in (self.prober, self.rights) if one]
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


def _waits(verdict: Verdict) -> bool:
    return isinstance(verdict, Hold) and verdict.guardrail == APPROVAL


def _asks(treatment: Treatment) -> bool:
    return _waits(treatment.verdict)


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


def _wait(answer: Document) -> timedelta:
    """How long until the same step is looked at again."""
    seconds = answer.get("wait")
    return timedelta(seconds=seconds) if isinstance(seconds, int | float) else timedelta(0)


def _attempt(document: Document) -> str:
    return text_at(document, "attempt") or text_at(document, "run")


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
