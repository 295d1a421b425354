"""Verifying: the same detectors on a fresh reading, after a time to settle. Fixed means that they find it no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.admission import Admission
from engine.counting import Counting
from engine.journal import Journal, Line, attempt_of
from engine.probing import Probing, diagnoses, look_of
from engine.settings import Settings
from engine.surveyor import Survey, Surveyor
from engine.undoing import Undoing
from model.documents import Document, text_at
from model.findings import Finding, Unknown
from model.plans import Plan
from model.states import Mode, Outcome
from model.times import format_time

_LOOK_AGAIN: Final = timedelta(minutes=15)
_LOOKS: Final = 8
"""How often a verification that cannot tell is repeated, before a person is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifying:
    """Judges whether treatments have helped."""

    settings: Settings
    surveyor: Surveyor
    journal: Journal
    admission: Admission
    undoing: Undoing
    counting: Counting
    probing: Probing | None
    """None where machines are not looked into."""

    def verify(self, document: Document) -> Document:
        """Look with the same detectors at everything that is due: not found any more means remediated.

        Answers `wait` while machines are looked into: then it wants to be called again.
        """
        run, attempt, now = text_at(document, "run"), attempt_of(document), self.journal.clock.now()
        saved, before = self.journal.saved(run), self.counting.so_far()
        due = [key for key, when in self.journal.open_verifications(run) if when <= now]
        if not due:
            return {}
        if undoes := self.journal.undoes(run):
            doubts = self.undoing.verify(run, attempt, undoes, [saved[key].plan for key in due])
            for key, missing in doubts.items():
                self._look_later(run, attempt, saved[key].plan, missing)
            self.counting.record(run, before)
            return {}
        survey = self._look_again(run, [saved[key].plan.finding for key in due])
        if isinstance(survey, timedelta):
            self.counting.record(run, before)
            return {"wait": survey.total_seconds()}
        found = {finding.key: finding for finding in survey.findings}
        for key in due:
            plan = saved[key].plan
            doubt = survey.doubt(plan.finding)
            if self.settings.mode(plan.finding.state) is Mode.OFF:
                doubt = Unknown(state=plan.finding.state, target="", missing="its mode is off, so nobody looks")
            if key in found:
                why = f"still found: {found[key].reason}"
                # Remembered before it is concluded: who dies in between looks again, and writes both.
                self.admission.verified(run, plan, helped=False)
                self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why)
            elif doubt is None:
                self.journal.conclude(run, attempt, plan, Outcome.REMEDIATED, "not found any more")
                self.admission.verified(run, plan, helped=True)
            else:
                self._look_later(run, attempt, plan, doubt.missing)
        self.counting.record(run, before)
        return {}

    def _look_again(self, run: str, findings: Sequence[Finding]) -> Survey | timedelta:
        """A fresh reading, and a fresh look into the machines that it makes suspect; or how long that will take."""
        states = frozenset(finding.state for finding in findings)
        if (probing := self.probing) is None:
            return self.surveyor.look(states)
        if (wait := probing.wait(run)) is not None:
            return wait
        # An answer from before the repair tells nothing: each look is that of the line by which it is due.
        lines = self.journal.ledger.entries(run, kinds=frozenset({"applied", "relook"}))
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
        looks = len(self.journal.ledger.entries(run, about=key, kinds=frozenset({"relook"})))
        if looks < _LOOKS:
            due = format_time(self.journal.clock.now() + _LOOK_AGAIN)
            body: Document = {"finding": key, "due": due, "missing": missing}
            self.journal.record(run, Line(f"relook:{key}:{looks}", "relook", body, key))
        else:
            why = f"applied, and could not be verified: {missing}"
            self.admission.verified(run, plan, helped=False)
            self.journal.conclude(run, attempt, plan, Outcome.INEFFECTIVE, why)
