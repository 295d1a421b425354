"""Undoing a run: a run of its own, with a plan, a record and a verification, through the same door as every change.

Its plans come from the ledger of the run that it undoes. It is shown like every plan, judged by the guardrails that
protect machines (not by those that pace repairs: whoever takes a step back must not be held up by the step), looked at
again before it is applied, and verified by comparing what is there with what was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from engine.catalogue import FOR_GUARDRAILS, Catalogue
from engine.compare import moved
from engine.journal import Journal, Line, ending, objection, observation
from engine.ports import Estate, Progress
from engine.preflight import Preflight
from engine.requests import InvalidRequest, Trigger
from engine.run_document import step_id
from engine.settings import Settings
from engine.undo_plans import Answer, AsItWas, Undo, documents_of, treated, undo_plans, unlike
from engine.waves import waves
from engine.wire import to_json
from guardrails import Situation, judge
from guardrails.exclusion_tag import ExclusionTag
from guardrails.scope import Scope
from guardrails.update_run import UpdateRun
from model.documents import Document, Json, text_at
from model.facts import Facts
from model.plans import Allow, Declined, Plan, Treatment
from model.states import Mode, Outcome
from model.times import format_time

_PROTECTING: Final = (Scope, ExclusionTag, UpdateRun)
_ASKING: Final = timedelta(minutes=2)
"""How long the right to begin an undo is held: longer than it takes to write down that it was begun."""

_GOING: Final = frozenset({"running", "waiting"})
"""How a run stands that may still change something."""


class CannotUndo(Exception):
    """Nothing was begun; the message says why."""


class NoSuchRun(CannotUndo):
    """The ledger knows nothing of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRequest:
    """Undo what a run changed, or what it did about the named findings."""

    run: str
    """The id of the undo, which is a run itself."""
    undoes: str
    trigger: Trigger
    dry_run: bool = True
    findings: tuple[str, ...] | None = None
    by: str = ""

    @property
    def document(self) -> Document:
        """The input of the process `undo`."""
        return {
            "run": self.run,
            "undoes": self.undoes,
            "trigger": self.trigger,
            "dryRun": self.dry_run,
            "findings": None if self.findings is None else list(self.findings),
            "by": self.by,
        }

    @classmethod
    def of(cls, document: Document) -> UndoRequest:
        """The request that `document` was made from."""
        findings, trigger = document.get("findings"), document.get("trigger")
        return cls(
            run=text_at(document, "run"),
            undoes=text_at(document, "undoes"),
            trigger="http" if trigger == "http" else "cli",
            # Anything but a plain false is a dry run.
            dry_run=document.get("dryRun") is not False,
            findings=tuple(str(key) for key in findings) if isinstance(findings, list) else None,
            by=text_at(document, "by"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What an undo needs of the engine's parts."""

    settings: Settings
    catalogue: Catalogue
    estate: Estate
    journal: Journal
    progress: Progress
    preflight: Preflight

    def accept(self, request: UndoRequest) -> str:
        """Write an undo down before its process starts.

        Answers the run that undoes: `request.run`, or an earlier one that has undone everything that is asked for
        already, so that nothing is to be started.

        Raises:
            NoSuchRun: there is nothing by this name.
            InvalidRequest: the run changed nothing for one of the findings; `field` says which.
            CannotUndo: the run is under way or an undo itself, changed nothing, or is being undone.
        """
        ledger, clock = self.journal.ledger, self.journal.clock
        self._check(request)
        changed = self._changed(request.undoes)
        for place, key in enumerate(request.findings or ()):
            if key not in changed:
                raise InvalidRequest(f"findings[{place}]", "the run changed nothing for such a finding")
        wanted = changed if request.findings is None else frozenset(request.findings)
        undone = self.journal.undone(request.undoes)
        if wanted and wanted <= undone.keys():
            return undone[sorted(wanted)[-1]]
        now, key = clock.now(), f"undo:{request.undoes}"
        if (holder := ledger.claim(key, request.run, now, now + _ASKING)) != request.run:
            raise CannotUndo(f"run {request.undoes} is being undone already, by {holder}")
        try:
            for earlier in self.journal.undos(request.undoes):
                if self.journal.status(earlier) in _GOING and not request.dry_run:
                    raise CannotUndo(f"run {request.undoes} is being undone already, by {earlier}")
            self._begin(request, wanted)
        finally:
            # From here on the record tells that it is being undone.
            ledger.release(key, request.run)
        return request.run

    def _begin(self, request: UndoRequest, wanted: frozenset[str]) -> None:
        header: Document = {**request.document, "dryRun": not self._acting(request), "scope": self._scope(wanted)}
        about: Document = {"run": request.run, "by": request.by, "dryRun": header["dryRun"]}
        self.journal.record(
            request.run, Line("run", "run", header), Line("status:running", "status", {"status": "running"})
        )
        self.journal.record(request.undoes, Line(f"undo:{request.run}", "undo", about))

    def _check(self, request: UndoRequest) -> None:
        header = self.journal.header(request.undoes)
        if header is None:
            raise NoSuchRun("there is no such run")
        if text_at(header, "undoes"):
            raise CannotUndo(f"run {request.undoes} is an undo itself; an undo is not undone, a new sweep plans anew")
        if self.journal.status(request.undoes) == "running":
            raise CannotUndo(f"run {request.undoes} is under way; undo it when it is over")
        if not self._changed(request.undoes):
            raise CannotUndo(f"run {request.undoes} changed nothing: there is nothing to undo")

    def _changed(self, run: str) -> frozenset[str]:
        return frozenset(one.plan.finding.key for one in treated(self._plans(run), self.journal.steps(run)))

    def _plans(self, run: str) -> dict[str, Plan]:
        return {key: treatment.plan for key, treatment in self.journal.saved(run).items()}

    def _acting(self, request: UndoRequest) -> bool:
        return not request.dry_run and not self.settings.dry_run

    def _scope(self, findings: frozenset[str]) -> Document:
        states: list[Json] = [*sorted({key.partition(":")[0] for key in findings})]
        return {
            "subscriptions": list(self.settings.subscriptions),
            "account": self.settings.account,
            "workspace": self.settings.workspace,
            "states": states,
            "machines": None,
        }

    def open(self, document: Document) -> Document:
        """Plan the way back, judge it, record it. Answers the waves of what may be undone now; none in a dry run."""
        request = UndoRequest.of(document)
        ledger = self.journal.ledger
        if surveyed := ledger.entries(request.run, kinds=frozenset({"surveyed"})):
            # Delivered twice: the plan that was recorded is the plan.
            return surveyed[0].body
        acting = self._acting(request)
        answers, facts = self._answers(request.undoes, request.findings, {})
        undos = [self._judged(request.run, answer, facts) for answer in answers if not isinstance(answer, Declined)]
        if acting:
            undos = self.preflight.checked(undos)
        declined = [answer for answer in answers if isinstance(answer, Declined)]
        findings = [(answer if isinstance(answer, Declined) else answer.plan).finding for answer in answers]
        run = request.run
        self.journal.record(
            run,
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
            *(Line(f"plan:{t.plan.finding.key}", "plan", to_json(t), t.plan.finding.key) for t in undos),
            *(
                Line(f"advice:{d.finding.key}", "advice", {"finding": d.finding.key, "summary": d.advice.summary,
                     "steps": list(d.advice.steps)}, d.finding.key)
                for d in declined
            ),
            *(ending(run, one, Outcome.DECLINED, one.reason) for one in declined),
            *(observation(run, t) for t in undos if not acting),
            *(objection(run, t.plan, t.verdict) for t in undos if acting and not isinstance(t.verdict, Allow)),
        )  # fmt: skip
        allowed = [t for t in undos if acting and isinstance(t.verdict, Allow)]
        answer: Document = {"waves": waves(allowed), "attempt": run, "byPerson": True}
        self.journal.record(run, Line("surveyed", "surveyed", answer))
        return answer

    def second_look(self, run: str, attempt: str, undoes: str, wave: Sequence[Treatment]) -> frozenset[str]:
        """Plan the way back again, and compare: the findings whose plan still holds; records why others do not."""
        saved = self.journal.saved(run)
        # What was planned for a world without the earlier ones undone is planned in their company again.
        ours = self.journal.ours(run)
        answers, facts = self._answers(undoes, tuple(saved), ours)
        fresh = {_finding_key(answer): answer for answer in answers}
        right: set[str] = set()
        for treatment in wave:
            plan = treatment.plan
            match fresh.get(plan.finding.key):
                case Undo() as again:
                    (judged,) = self.preflight.checked([self._judged(run, again, facts)])
                    verdict = judged.verdict
                    if not isinstance(verdict, Allow):
                        self.journal.held(run, attempt, plan, verdict)
                    elif change := moved(plan, again.plan, ours):
                        was, is_ = str(change.before)[:120], str(change.after)[:120]
                        why = f"{change.field} was {was} when the plan was made, and is {is_}"
                        self.journal.conclude(run, attempt, plan, Outcome.STALE, why)
                    else:
                        right.add(plan.finding.key)
                case AsItWas():
                    self._end(undoes, run, attempt, plan, f"it is as it was before run {undoes}")
                case Declined(reason=reason):
                    self.journal.conclude(run, attempt, plan, Outcome.STALE, reason)
                case None:
                    self._end(undoes, run, attempt, plan, "another run has undone it")
                case never:
                    assert_never(never)
        return frozenset(right)

    def verify(self, run: str, attempt: str, undoes: str, due: Sequence[Plan]) -> Mapping[str, str]:
        """Compare what is there with what was recorded; answers what could not be read, by the finding's key."""
        steps, ours = self.journal.steps(run), self.journal.ours(run)
        done = {one.plan.finding.key: one for one in treated({plan.finding.key: plan for plan in due}, steps)}
        facts = self.estate.look_closer(self._facts(), documents_of(done.values()))
        doubts: dict[str, str] = {}
        for plan in due:
            key = plan.finding.key
            mine = [done[key]] if key in done else []
            changes = (unlike(each.step, each.result, facts, ours) for one in mine for each in one.steps)
            if gap := facts.missing(*sorted(documents_of(mine))):
                doubts[key] = gap.what
            elif change := next((change for change in changes if change), None):
                why = f"{change.field} should be {change.before} again, and is {change.after}"
                self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why[:500])
            else:
                kept = f"; {plan.risk[:1].lower()}{plan.risk[1:]}" if plan.risk else ""
                self._end(undoes, run, attempt, plan, f"it is as it was before run {undoes}{kept}")
        return doubts

    def _answers(
        self, undoes: str, findings: Sequence[str] | None, ours: Mapping[str, Document]
    ) -> tuple[list[Answer], Facts]:
        """The way back for what is not undone yet, from a fresh reading; `ours` is what this undo wrote already."""
        undone = self.journal.undone(undoes)
        todo = [
            one
            for one in treated(self._plans(undoes), self.journal.steps(undoes))
            if one.plan.finding.key not in undone and (findings is None or one.plan.finding.key in findings)
        ]
        if not todo:
            return [], self._facts()
        self.progress("reading what is there now")
        facts = self.estate.read(FOR_GUARDRAILS, {}, self.progress)
        facts = self.estate.look_closer(facts, documents_of(todo))
        return undo_plans(todo, facts, undoes, self.settings.next_run_margin, ours), facts

    def _facts(self) -> Facts:
        """Facts without a reading: for a look at single documents."""
        return self.estate.read(frozenset(), {}, self.progress)

    def _judged(self, run: str, undo: Undo | AsItWas, facts: Facts) -> Treatment:
        verdict = undo.objection if isinstance(undo, Undo) else Allow()
        # Nothing is touched where there is nothing to put back, so that nothing need be waited for.
        if isinstance(verdict, Allow) and undo.plan.steps:
            situation = Situation(facts=facts, mode=Mode.ACT, by_person=True, now=facts.now)
            belts = tuple(belt for belt in self.catalogue.guardrails if isinstance(belt, _PROTECTING))
            verdict = judge(undo.plan, situation, belts)
        return Treatment(id=step_id(run, undo.plan.finding.key, -1), plan=undo.plan, verdict=verdict)

    def _end(self, undoes: str, run: str, attempt: str, plan: Plan, reason: str) -> None:
        """Undone: in the record of the run that did it first, where a crash in between lets it be found again."""
        original = self.journal.saved(undoes)[plan.finding.key].plan
        line = ending(run, original, Outcome.UNDONE, f"undone by run {run}")
        self.journal.record(undoes, line._replace(body={**line.body, "by": run}))
        self.journal.conclude(run, attempt, plan, Outcome.UNDONE, reason)


def _finding_key(answer: Answer) -> str:
    return answer.finding.key if isinstance(answer, Declined) else answer.plan.finding.key
