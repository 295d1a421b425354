"""Judging a set of plans: the kill switch, then the guardrails, each plan in the light of those before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.admission import Admission, Background
from engine.approvals import APPROVAL
from engine.catalogue import Catalogue
from engine.journal import Journal
from engine.pausing import KillSwitch
from engine.run_document import step_id
from engine.settings import Settings
from guardrails import Situation, judge
from guardrails.reach import Reach
from model.facts import Facts
from model.plans import Allow, Hold, Plan, Treatment, Verdict
from model.states import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What the verdict on a plan takes."""

    settings: Settings
    catalogue: Catalogue
    journal: Journal
    admission: Admission
    switch: KillSwitch

    def judged(
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
                touched |= Reach.of(plan, facts).machines
            treatments.append(Treatment(id=step_id(known.run, plan.finding.key, -1), plan=plan, verdict=verdict))
        return treatments

    def _verdict(self, plan: Plan, situation: Situation, *, asking: bool) -> Verdict:
        state, belts = plan.finding.state, self.catalogue.guardrails
        if pause := self.switch.stops(state):
            return Hold(guardrail="kill-switch", reason=str(pause))
        verdict = judge(plan, situation, belts)
        ask = asking and situation.mode is Mode.ASK and not isinstance(verdict, Allow)
        if ask and isinstance(judge(plan, replace(situation, by_person=True), belts), Allow):
            until = self.journal.clock.now() + self.settings.approval_expiry
            return Hold(
                guardrail=APPROVAL, reason=f"{state.value} is in mode ask: a person has to say yes", until=until
            )
        return verdict


def asks(treatment: Treatment) -> bool:
    """True for a plan that is held until a person says yes."""
    return _waits(treatment.verdict)


def _waits(verdict: Verdict) -> bool:
    return isinstance(verdict, Hold) and verdict.guardrail == APPROVAL
