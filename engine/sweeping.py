"""Sweeping: read, detect, plan, judge the whole set, record. A dry run ends here, with its plans saved."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from engine.admission import Admission
from engine.approvals import question
from engine.counting import Counting
from engine.journal import Journal, Line, ending, objection, observation
from engine.judging import Judging, asks
from engine.pausing import KillSwitch
from engine.preflight import Preflight
from engine.probing import Probing, diagnoses, hand_in
from engine.requests import SweepRequest
from engine.selection import selects
from engine.settings import Settings
from engine.surveyor import Survey, Surveyor
from engine.waves import waves
from engine.wire import to_json
from model.documents import Document
from model.plans import Allow, Declined
from model.states import FailureState, Outcome
from model.times import format_time

log = logging.getLogger("patchwright")


@dataclass(slots=True, kw_only=True)
class Sweeping:
    """One sweep of the estate."""

    settings: Settings
    surveyor: Surveyor
    journal: Journal
    judging: Judging
    admission: Admission
    preflight: Preflight
    switch: KillSwitch
    counting: Counting
    probing: Probing | None
    """None where machines are not looked into."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Diagnoses that somebody hands in, by the machine's id: each sweep goes by them."""

    def accept(self, request: SweepRequest) -> bool:
        """Write a run down before its process starts, so that it can be looked up; False where it already is."""
        header: Document = {
            **request.document,
            "dryRun": not self.acting(request),
            "scope": self._scope(request),
        }
        lines = Line("run", "run", header), Line("status:running", "status", {"status": "running"})
        return self.journal.record(request.run, *lines)[0]

    def survey(self, document: Document) -> Document:
        """Read, detect, plan, judge the whole set, record. Answers the waves of what may be treated now.

        Or `wait`, while machines are looked into: then it wants to be called again.
        """
        request = SweepRequest.of(document)
        if surveyed := self.journal.ledger.entries(request.run, kinds=frozenset({"surveyed"})):
            # Delivered twice: the plan that was recorded is the plan.
            return surveyed[0].body
        states = frozenset(FailureState if request.states is None else request.states)
        acting = self.acting(request)
        self.accept(request)
        hand_in(self.journal, request.run, self.kept)
        before = self.counting.so_far()
        # An empty selection selects nothing, so nothing is read for it.
        if request.machines == ():
            states = frozenset()
        looked = self._look_inside(request, states)
        if isinstance(looked, timedelta):
            self.counting.record(request.run, before)
            return {"wait": looked.total_seconds()}
        survey = looked or self.surveyor.look(states, diagnoses=diagnoses(self.journal, request.run))
        facts = survey.facts
        findings = [f for f in survey.findings if selects(request.machines, f.target, facts)]
        unknown = [u for u in survey.unknown if not u.target or selects(request.machines, u.target, facts)]
        self.admission.saw(survey.findings, facts)
        plans, declined, facts = self.surveyor.plan(findings, facts, self.admission.attempts(findings))
        # A person who asks for a dry run means to apply it; a sweep of its own accord has nobody behind it.
        by_person = not acting and request.trigger in {"cli", "http"}
        known = self.admission.background(request.run, request.run, plans, survey.findings)
        treatments = self.judging.judged(known, plans, facts, by_person=by_person, touched=frozenset(), asking=acting)
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
                if acting and not isinstance(t.verdict, Allow) and not asks(t)
            ),
        )
        # Asked about as it was saved: delivered twice, the first plan is the plan.
        asked = [t for t in self.journal.saved(request.run).values() if acting and asks(t)]
        now, expiry = self.journal.clock.now(), self.settings.approval_expiry
        self.journal.record(request.run, *(question(request.run, t, now, expiry) for t in asked))
        self.counting.record(request.run, before)
        log.info(
            "survey recorded",
            extra={"run": request.run, "findings": len(findings), "plans": len(treatments), "unknown": len(unknown)},
        )
        allowed = [t for t in treatments if acting and isinstance(t.verdict, Allow)]
        answer: Document = {
            "waves": waves(allowed, self.settings.largest_wave),
            "attempt": request.run,
            "byPerson": False,
        }
        self.journal.record(request.run, Line("surveyed", "surveyed", answer))
        return answer

    def _look_inside(self, request: SweepRequest, states: frozenset[FailureState]) -> Survey | timedelta | None:
        """Have suspects looked into, once a run; how long until their answers may be here, or None where none is due.

        Where nobody is suspected, what was read for that is all there is to read.
        A dry run does so as well, and a locked app: the script only looks, and `PATCHWRIGHT_PROBE` says that it may.
        """
        if (probing := self.probing) is None:
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

    def acting(self, request: SweepRequest) -> bool:
        """True where a sweep may treat what it finds, in so far as the guardrails let it."""
        return not request.dry_run and not self.settings.dry_run

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
