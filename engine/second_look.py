"""The second look, just before acting: lease, read again, plan again, compare, judge again.

A plan is applied as it was shown, or not at all: where the world has moved since, the outcome names the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.admission import Admission
from engine.compare import edited, moved, since_the_plan, target_of
from engine.counting import Counting
from engine.journal import Journal, Line, attempt_of
from engine.judging import Judging
from engine.leases import Leases, clock_went_back
from engine.locks import LOCKED
from engine.pausing import KillSwitch
from engine.ports import Estate
from engine.preflight import Preflight
from engine.probing import diagnoses
from engine.settings import Settings
from engine.surveyor import OurEdit, Survey, Surveyor
from engine.undoing import Undoing
from guardrails.reach import Reach
from model.documents import Document, Json, list_at, text_at
from model.facts import Facts
from model.plans import Allow, Declined, Plan, PutDeployment, Treatment
from model.states import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """Tells what of a wave is still right."""

    settings: Settings
    estate: Estate
    surveyor: Surveyor
    journal: Journal
    judging: Judging
    admission: Admission
    preflight: Preflight
    leases: Leases
    switch: KillSwitch
    undoing: Undoing
    counting: Counting

    def look(self, document: Document) -> Document:
        """Just before acting: lease, read again, plan again, compare, judge again. Answers what is still right."""
        run, attempt = text_at(document, "run"), attempt_of(document)
        saved = self.journal.saved(run)
        wave = {key: saved[key] for key in list_at(document, "findings") if isinstance(key, str) and key in saved}
        before = self.counting.so_far()
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
        self.counting.record(run, before)
        return {"treatments": going}

    def _out_of_the_question(self, run: str) -> tuple[Outcome, str] | None:
        """Why nothing at all may be treated now, and what that makes of the findings."""
        if self.settings.dry_run:
            return Outcome.REFUSED, LOCKED
        earlier = self.journal.ledger.entries(run, kinds=frozenset({"run", "surveyed", "treatment", "status"}))
        back = clock_went_back(earlier, self.journal.clock.now())
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
        survey = self.surveyor.look(states, edits, diagnoses(self.journal, run))
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
                    self.journal.conclude(run, attempt, treatment.plan, Outcome.STALE, since_the_plan(change))
                case Plan():
                    one = self.judging.judged(known, [again], facts, by_person=by_person, touched=touched)
                    (judged,) = self.preflight.checked(one)
                    reached, verdict = Reach.of(again, facts).machines, judged.verdict
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

    def _treating(self, run: str, attempt: str, keys: Iterable[str]) -> None:
        """Write down what an attempt treats from now on."""
        self.journal.record(
            run,
            *(Line(f"treatment:{attempt}:{key}", "treatment", {"finding": key, "by": attempt}, key) for key in keys),
        )


def _lost(saved: Plan, again: Declined | None, survey: Survey, facts: Facts, ours: Mapping[str, Document]) -> str:
    """Why there is no plan any more where there was one."""
    if change := edited(saved, facts.documents, ours):
        return since_the_plan(change)
    if again is not None:
        return again.reason
    gap = survey.doubt(saved.finding)
    return f"cannot be told any more: {gap.missing}" if gap else "it is not found any more"
